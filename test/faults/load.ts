import { setTimeout as pause } from 'node:timers/promises'
import { type CreditService, type CreditServiceOptions, isCreditError } from '../../src/index.js'
import { acknowledgement, type Ask, callsOf, type CreditType, Journal, readJournal, type Told } from './journal.js'
import { type SeededRandom, seededRandom } from '../support/seeded-random.js'

export interface LoadOptions {
  credits: CreditService<CreditType>
  /** Of this client; what it holds from before a crash is read from it, and gone on with. */
  journalPath: string
  /** Unique among all clients and all their lives. */
  name: string
  seed: number
  /** Users whose credits everybody uses and moves. */
  users: readonly string[]
  /** Users with a limit. */
  limited: readonly string[]
  /** Calls at the same time. */
  callers: number
}

/** So many calls a month are allowed to a limited user. */
export const LIMIT = 40
export const LOAD_OPTIONS: CreditServiceOptions<CreditType> = {
  limits: { scraping: [{ max: LIMIT, per: 'month', of: 'calls' }] },
}

/** How often a call without a result is asked again with its key. */
const MAX_TRIES = 5

/** Mixed calls by some callers at once, all of them written down before and after. */
export class Load {
  readonly #options: LoadOptions
  readonly #random: SeededRandom
  readonly #journal: Journal
  readonly #uses: { id: string; userId: string; amount: number }[] = []
  readonly #holds: { id: string; userId: string; amount: number }[] = []
  /** To be asked again, with the same keys. */
  readonly #again: { ask: Ask; tries: number }[] = []
  #asked = 0
  #answered = 0
  #ownUsers = 0
  #running: Promise<unknown> | null = null
  #isPaused = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    for (const call of callsOf(readJournal(options.journalPath)).values()) {
      const { ask, tries } = call
      const acknowledged = acknowledgement(call)
      if ('holdId' in ask) this.#forgetHold(ask.holdId)
      if (acknowledged !== null) this.#keep(ask, acknowledged.ids)
      else if (ask.key !== null && tries.at(-1) === null) this.#again.push({ ask, tries: tries.length })
    }
    this.#journal = new Journal(options.journalPath)
  }

  go(): void {
    this.#isPaused = false
    const callers = Array.from({ length: this.#options.callers }, () => this.#run(() => this.#askSomething()))
    this.#running = Promise.all([...callers, this.#run(() => this.#useOwnAccount())])
  }

  /** Let everybody finish what they are at. */
  async pause(): Promise<void> {
    this.#isPaused = true
    await this.#running
  }

  /** For so long, and until there were so many answers: where everything is slow, it takes longer. */
  async during(milliseconds: number, answers = 0): Promise<void> {
    const wanted = this.#answered + answers
    this.go()
    await pause(milliseconds)
    for (let looks = 0; this.#answered < wanted && looks < 100; looks++) await pause(100)
    await this.pause()
  }

  close(): void {
    this.#journal.close()
  }

  /** Ask for one thing, and write down what comes of it. Never rejects. */
  async ask(ask: Ask, tries = 1): Promise<Told> {
    this.#journal.note({ kind: 'asks', ask })
    const told = await answerTo(this.#options.credits, ask)
    this.#answered += 1
    this.#journal.note({ kind: 'told', tag: ask.tag, told })
    if (told.answer === 'acknowledged') this.#keep(ask, told.ids)
    // Some clients never ask again: then what they were told is the last word.
    const asksAgain = ['unavailable', 'unknown'].includes(told.answer) && this.#random.isChosen(0.7)
    if (asksAgain && ask.key !== null && tries < MAX_TRIES) this.#again.push({ ask, tries: tries + 1 })
    return told
  }

  async #run(work: () => Promise<unknown>): Promise<void> {
    while (!this.#isPaused) {
      await work()
      // Also where everything is refused at once, others have their turn.
      await pause(1)
    }
  }

  async #askSomething(): Promise<void> {
    const again = this.#random.isChosen(0.3) ? this.#again.shift() : undefined
    const told = again === undefined ? await this.ask(this.#next()) : await this.ask(again.ask, again.tries)
    if (told.answer === 'unavailable') await pause(20)
  }

  #tag(): string {
    return `${this.#options.name}.${this.#asked++}`
  }

  #next(): Ask {
    const { users, limited } = this.#options
    const random = this.#random
    const tag = this.#tag()
    const userId = random.pick(users)
    const amount = random.between(1, 20)
    const common = {
      tag,
      key: random.isChosen(0.6) ? `key ${tag}` : null,
      userId,
      creditType: 'calling',
      amount,
    } as const
    const kind = random.next()
    if (kind < 0.36) return { ...common, operation: 'deduct' }
    if (kind < 0.5) return { ...common, operation: 'add', amount: amount * 2 }
    if (kind < 0.62) return { ...common, operation: 'hold' }
    if (kind < 0.74) return this.#resolution(common)
    if (kind < 0.81)
      return { ...common, operation: 'transfer', toUserId: random.pick(users.filter((other) => other !== userId)) }
    if (kind < 0.88) {
      const items = Array.from({ length: random.between(2, 4) }, () => ({
        userId: random.pick(users),
        amount: random.between(1, 5),
      }))
      return { ...common, operation: 'deductMany', items }
    }
    if (kind < 0.94)
      return { ...common, operation: 'deduct', userId: random.pick(limited), creditType: 'scraping', amount: 1 }
    const [use] = this.#uses.splice(random.between(0, this.#uses.length - 1), 1)
    if (use === undefined) return { ...common, operation: 'deduct' }
    const part = random.between(1, use.amount)
    return { ...common, operation: 'refund', transactionId: use.id, userId: use.userId, amount: part }
  }

  /** The one thing that will ever be asked of a hold. */
  #resolution(common: Pick<Ask, 'tag' | 'key' | 'userId' | 'creditType' | 'amount'>): Ask {
    const hold = this.#holds.shift()
    if (hold === undefined) return { ...common, operation: 'hold' }
    const { id: holdId, userId, amount } = hold
    if (this.#random.isChosen(0.4)) return { ...common, operation: 'release', key: null, holdId, userId, amount }
    return { ...common, operation: 'capture', holdId, userId, amount: this.#random.between(1, amount) }
  }

  /** Write to an account of one's own, and read it through the cache: never an older balance than the acknowledged one. */
  async #useOwnAccount(): Promise<void> {
    const { credits, name } = this.#options
    const userId = `own-${name}-${this.#ownUsers++}`
    const own = { userId, creditType: 'enrichment' } as const
    const funded = await this.ask({ ...own, tag: this.#tag(), key: null, amount: 100, operation: 'add' })
    // After anything that was not acknowledged, what to expect is not known: on with another account.
    for (let left = 100; funded.answer === 'acknowledged' && left > 0 && !this.#isPaused;) {
      const told = await this.ask({ ...own, tag: this.#tag(), key: null, amount: 2, operation: 'deduct' })
      if (told.answer !== 'acknowledged') break
      left -= 2
      try {
        this.#journal.note({
          kind: 'read',
          userId,
          balance: await credits.getBalance(userId, 'enrichment'),
          expected: left,
        })
      } catch (error) {
        if (!isCreditError(error, 'UNAVAILABLE')) throw error
      }
      await pause(5)
    }
    if (funded.answer !== 'acknowledged') await pause(50)
  }

  #keep({ operation, userId, amount, creditType }: Ask, [id]: readonly string[]): void {
    if (id === undefined || creditType !== 'calling') return
    if (operation === 'hold') this.#holds.push({ id, userId, amount })
    if (operation === 'deduct') this.#uses.push({ id, userId, amount })
  }

  /** Somebody has asked for its end: nobody asks for another one. */
  #forgetHold(holdId: string): void {
    const index = this.#holds.findIndex(({ id }) => id === holdId)
    if (index >= 0) this.#holds.splice(index, 1)
  }
}

/** Call the service, and say in the journal's words what it answered. */
async function answerTo(credits: CreditService<CreditType>, ask: Ask): Promise<Told> {
  try {
    const results = await perform(credits, ask)
    const replayed = results.some((result) => result.replayed)
    return { answer: 'acknowledged', ids: results.map(({ id }) => id), replayed }
  } catch (error) {
    if (!isCreditError(error)) return { answer: 'failed', code: String(error) }
    const { code } = error
    if (code === 'UNAVAILABLE') return { answer: 'unavailable', code }
    return code === 'OUTCOME_UNKNOWN' ? { answer: 'unknown', code } : { answer: 'refused', code }
  }
}

async function perform(credits: CreditService<CreditType>, ask: Ask): Promise<{ id: string; replayed: boolean }[]> {
  const { tag, key: idempotencyKey, userId, creditType, amount } = ask
  const write = { idempotencyKey, actor: tag }
  const posted = { ...write, userId, creditType, amount, description: ask.operation }
  switch (ask.operation) {
    case 'deduct':
      return [await credits.deductCredits(posted)]
    case 'add':
      return [await credits.addCredits(posted)]
    case 'hold':
      return [await credits.holdCredits({ ...posted, expiresInSeconds: 86_400 })]
    case 'capture':
      return [await credits.captureHold({ ...write, holdId: ask.holdId, amount })]
    case 'release':
      return [await credits.releaseHold({ holdId: ask.holdId })]
    case 'refund':
      return [await credits.refundCredits({ ...write, transactionId: ask.transactionId, amount })]
    case 'transfer': {
      const { userId: fromUserId, ...rest } = posted
      const { from, to } = await credits.transferCredits({ ...rest, fromUserId, toUserId: ask.toUserId })
      return [from, to]
    }
    case 'deductMany':
      return credits.deductMany(
        ask.items.map((item, index) => ({
          ...posted,
          ...item,
          idempotencyKey: idempotencyKey === null ? null : `${idempotencyKey}/${index}`,
        })),
      )
  }
}
