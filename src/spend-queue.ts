import { isCreditError, OutcomeUnknownError, UnavailableError } from './errors.js'
import type { SpendCommand, SpendOutcome } from './ports/store.js'

/** What is known once the fast path has done what it can. `general`: the general path's own result. */
export type Decided<R> = Exclude<SpendOutcome, { status: 'undecided' | 'busy' }> | { status: 'general'; result: R }

/** Send a batch; see `CreditStore.spend`. */
export type SendSpends = (commands: readonly SpendCommand[], wait: boolean) => Promise<SpendOutcome[]>

/** One call that waits, or is on its way. */
interface Call {
  command: SpendCommand
  /** Decide it by `CreditStore.update`, with the same id. Never rejects. `isUnsettled`: it may have been written. */
  general: (isUnsettled: boolean) => Promise<void>
  resolve: (outcome: Exclude<SpendOutcome, { status: 'undecided' | 'busy' }>) => void
  reject: (error: unknown) => void
}

/** One account's calls, in their order. */
interface Line {
  key: string
  waiting: Call[]
  /** Some are on their way: the others wait for them. */
  isBusy: boolean
  /** Somebody else holds the account: it is sent alone, and waits in the database without keeping others waiting. */
  isHeldUp: boolean
}

/** Calls of one account that went out together. */
interface Part {
  line: Line
  calls: Call[]
}

/** Calls per statement. Longer ones gain little, and keep their first call waiting for their last. */
const MAX_BATCH = 128

/** Fewer calls are not divided: a statement has a price of its own. */
const MIN_BATCH = 16

/** Statements over several accounts at the same time: one that the database works on, one that is on its way. */
const MAX_SHARED = 2

/** Statements over one account, which may wait in the database for as long as somebody else holds the account. */
const MAX_ALONE = 4

/** Calls that go the general path at the same time; the rest of the connections are for everybody else. */
const MAX_GENERAL = 6

/** Calls that may be open before new ones are refused: a database that answers 10,000 a second is a second behind. */
const MAX_OPEN = 10_000

/**
 * Collects concurrent deductions and holds into few statements, without a timer: a call leaves at the end of its turn of
 * the event loop if a slot is free, else with everyone who waited for one. Calls of one account are decided in their order,
 * at most one statement at a time; only refused calls are overtaken. Every call gets its own outcome.
 */
export class SpendQueue {
  readonly #send: SendSpends
  readonly #lines = new Map<string, Line>()
  /** Accounts with waiting calls and nothing on its way, in the order in which they came. */
  readonly #ready = new Set<Line>()
  readonly #general: (() => Promise<void>)[] = []
  readonly #running = { shared: 0, alone: 0, general: 0 }
  /** Calls without an answer, and those of them that have not been sent. */
  #open = 0
  #waiting = 0
  #isScheduled = false

  constructor(send: SendSpends) {
    this.#send = send
  }

  /**
   * Decide one call. `general` decides it by `update`, in its place among the account's calls.
   *
   * @throws {UnavailableError} Too many calls wait already. @throws Whatever the store or `general` throws.
   */
  async decide<R>(command: SpendCommand, general: () => Promise<R>): Promise<Decided<R>> {
    if (this.#open >= MAX_OPEN) {
      throw new UnavailableError(`${MAX_OPEN} deductions wait for the database already. Nothing was written; try again`)
    }
    return new Promise((resolve, reject) => {
      const call: Call = {
        command,
        general: (isUnsettled) =>
          general()
            .catch((error: unknown) => {
              throw isUnsettled ? unlessSettled(error) : error
            })
            .then((result) => resolve({ status: 'general', result }), reject),
        resolve,
        reject,
      }
      this.#enter(call)
      this.#dispatchSoon()
    })
  }

  #enter(call: Call): void {
    const { userId, creditType } = call.command
    // Credit types hold no colon.
    const key = `${creditType}:${userId}`
    const line = this.#lines.get(key) ?? { key, waiting: [], isBusy: false, isHeldUp: false }
    this.#lines.set(key, line)
    line.waiting.push(call)
    this.#open += 1
    this.#waiting += 1
    if (!line.isBusy) this.#ready.add(line)
  }

  #dispatchSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const dispatch = (): void => {
      this.#isScheduled = false
      this.#dispatch()
    }
    // With nothing on its way, calls that come at once are at this point at once: nobody needs to wait for more.
    const { shared, alone, general } = this.#running
    if (shared + alone + general === 0) queueMicrotask(dispatch)
    else endOfTurn(dispatch)
  }

  /** Send what can be sent now. */
  #dispatch(): void {
    const [only] = this.#ready
    // Nobody else to keep waiting: it may as well wait for its account.
    if (only !== undefined && this.#ready.size === 1 && this.#running.shared + this.#running.alone === 0)
      this.#sendBatch('alone', [only])
    for (const line of this.#ready)
      if (line.isHeldUp && this.#running.alone < MAX_ALONE) this.#sendBatch('alone', [line])
    while (this.#running.shared < MAX_SHARED) {
      const lines = [...this.#ready].filter(({ isHeldUp }) => !isHeldUp)
      if (lines.length === 0) break
      this.#sendBatch('shared', lines)
    }
  }

  #sendBatch(kind: 'shared' | 'alone', lines: readonly Line[]): void {
    const batch = this.#take(lines)
    const calls = batch.flatMap(({ calls: own }) => own)
    this.#running[kind] += 1
    void this.#send(
      calls.map(({ command }) => command),
      kind === 'alone',
    )
      .then(
        (outcomes) => this.#settle(batch, outcomes),
        (error: unknown) => this.#fail(batch, error),
      )
      .then((tell) => {
        this.#running[kind] -= 1
        if (this.#waiting < MIN_BATCH) {
          // They go with what these callers ask next.
          if (this.#waiting > 0) this.#dispatchSoon()
          tell()
          return
        }
        // On their way first, so that the database works while the callers make something of their answers.
        this.#dispatch()
        endOfTurn(tell)
      })
  }

  /** The first calls of these accounts, at most one for each key of a user: the second finds what the first wrote. */
  #take(lines: readonly Line[]): Part[] {
    const keys = new Set<string>()
    const parts: Part[] = []
    // Half of what there is: while the database decides these, the answers of the others are on their way.
    let room = Math.min(MAX_BATCH, Math.max(MIN_BATCH, Math.ceil(this.#open / 2)))
    for (const line of lines) {
      const calls: Call[] = []
      for (const call of line.waiting.slice(0, room)) {
        const { userId, key } = call.command
        const own = key === null ? null : `${key} ${userId}`
        if (own !== null && keys.has(own)) break
        if (own !== null) keys.add(own)
        calls.push(call)
      }
      if (calls.length === 0) continue
      line.waiting.splice(0, calls.length)
      this.#waiting -= calls.length
      line.isBusy = true
      this.#ready.delete(line)
      parts.push({ line, calls })
      room -= calls.length
      if (room === 0) break
    }
    return parts
  }

  /**
   * Put every account's line in order: the first call that the row could not tell is decided in general, the rest wait for
   * it. Returns what hands out the outcomes.
   */
  #settle(batch: readonly Part[], outcomes: readonly SpendOutcome[]): () => void {
    const told: { call: Call; outcome: Exclude<SpendOutcome, { status: 'undecided' | 'busy' }> }[] = []
    let index = 0
    for (const { line, calls } of batch) {
      const left: Call[] = []
      line.isHeldUp = false
      for (const call of calls) {
        const outcome = outcomes[index++] ?? { status: 'undecided' }
        if (outcome.status === 'busy') line.isHeldUp = true
        if (outcome.status === 'busy' || outcome.status === 'undecided') left.push(call)
        else told.push({ call, outcome })
      }
      const [first] = line.isHeldUp ? [] : left.splice(0, 1)
      line.waiting.unshift(...left)
      this.#waiting += left.length
      if (first === undefined) this.#free(line)
      else this.#decideInGeneral({ line, calls: [first] }, false)
    }
    return () => {
      this.#open -= told.length
      for (const { call, outcome } of told) call.resolve(outcome)
    }
  }

  /** The statement failed. Where it may have been written, or failed by one bad call, each call is decided by itself. */
  #fail(batch: readonly Part[], error: unknown): () => void {
    if (!isCreditError(error, 'UNAVAILABLE') && !isCreditError(error, 'STORE_NOT_CONFIGURED')) {
      for (const part of batch) this.#decideInGeneral(part, isCreditError(error, 'OUTCOME_UNKNOWN'))
      return () => undefined
    }
    const calls = batch.flatMap((part) => part.calls)
    for (const { line } of batch) this.#free(line)
    return () => {
      this.#open -= calls.length
      for (const call of calls) call.reject(error)
    }
  }

  #decideInGeneral({ line, calls }: Part, isUnsettled: boolean): void {
    this.#general.push(async () => {
      for (const call of calls) {
        await call.general(isUnsettled)
        this.#open -= 1
      }
      this.#free(line)
    })
    this.#runGeneral()
  }

  #runGeneral(): void {
    while (this.#running.general < MAX_GENERAL) {
      const next = this.#general.shift()
      if (next === undefined) return
      this.#running.general += 1
      void next().finally(() => {
        this.#running.general -= 1
        this.#runGeneral()
      })
    }
  }

  /** Nothing of this account is on its way any more. */
  #free(line: Line): void {
    line.isBusy = false
    if (line.waiting.length > 0) {
      this.#ready.add(line)
      this.#dispatchSoon()
      return
    }
    this.#lines.delete(line.key)
  }
}

/** The same without waiting for others: each call is a statement of its own, in no order. */
export class SpendOneByOne {
  readonly #send: SendSpends

  constructor(send: SendSpends) {
    this.#send = send
  }

  async decide<R>(command: SpendCommand, general: () => Promise<R>): Promise<Decided<R>> {
    let isUnsettled = false
    try {
      const [outcome = { status: 'undecided' }] = await this.#send([command], true)
      if (outcome.status !== 'undecided' && outcome.status !== 'busy') return outcome
    } catch (error) {
      if (!isCreditError(error, 'OUTCOME_UNKNOWN')) throw error
      isUnsettled = true
    }
    try {
      return { status: 'general', result: await general() }
    } catch (error) {
      throw isUnsettled ? unlessSettled(error) : error
    }
  }
}

/** Where a lost statement may have been written, only finding its row, or its key used for something else, says so. */
function unlessSettled(error: unknown): unknown {
  if (isCreditError(error, 'IDEMPOTENCY_CONFLICT') || isCreditError(error, 'OUTCOME_UNKNOWN')) return error
  return new OutcomeUnknownError(
    'It could not be settled whether the write happened; retry with the same idempotency key',
    { cause: error },
  )
}

/** After everything that is running now; where the platform has no such hook, after the promises that are settled. */
const endOfTurn: (work: () => void) => void =
  'setImmediate' in globalThis ? (work) => void setImmediate(work) : (work) => queueMicrotask(work)
