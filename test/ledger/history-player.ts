import { randomUUID } from 'node:crypto'
import {
  CreditService,
  type CreditErrorCode,
  type CreditHold,
  type CreditTransaction,
  isCreditError,
} from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { type StoppedClock, stoppedClock } from '../conformance/credit-store/bench.js'
import { HistoryTill, type Told } from './history-till.js'
import {
  ACCOUNTS,
  type HistoryCreditType,
  latestOf,
  LIMITS,
  OPERATIONS,
  PACKAGE,
  PLANS,
  type Rules,
  type Step,
  UNIT_MS,
} from './random-histories.js'

/** What a step's call gave back. */
interface Outcome {
  transactions?: CreditTransaction[]
  hold?: CreditHold
}

/** A call with a key that was answered. */
export interface AnsweredCall {
  step: Step
  outcome: Outcome
  /** The same call again. */
  repeat: () => Promise<Outcome>
}

/** How a user may be refused; anything else is a fault. */
const REFUSALS: readonly CreditErrorCode[] = [
  'INSUFFICIENT_CREDITS',
  'ALREADY_REFUNDED',
  'NOT_REFUNDABLE',
  'HOLD_NOT_OPEN',
  'INVALID_AMOUNT',
  'LIMIT_EXCEEDED',
]

/** Longer than any span of a history. */
const FAR_MS = 100 * 4 * UNIT_MS

/** Plays histories through the public API, for two fresh users of a store. */
export class HistoryPlayer {
  readonly clock: StoppedClock = stoppedClock()
  readonly store: CreditStore
  readonly credits: CreditService<HistoryCreditType>
  readonly userIds = [`user-${randomUUID()}`, `user-${randomUUID()}`] as const
  /** Calls with a key that were answered, in order. */
  readonly answered: AnsweredCall[] = []
  readonly sessionIds: string[] = []
  readonly #till = new HistoryTill()
  readonly #uses: string[] = []
  readonly #holds: string[] = []
  readonly #grants: string[] = []

  constructor(store: CreditStore, { refundPolicy, clawbackPolicy, limited }: Rules, { batching = true } = {}) {
    this.store = store
    this.credits = new CreditService({
      creditTypes: ['calling', 'scraping'],
      store,
      clock: this.clock,
      payments: this.#till,
      refundPolicy,
      clawbackPolicy,
      operations: OPERATIONS,
      plans: PLANS,
      limits: limited ? LIMITS : {},
      batching,
    })
  }

  /** What came of it: done, or the code of the refusal; null: the step does not apply here. `key`: the call's own. */
  async play(step: Step, key: string): Promise<'done' | CreditErrorCode | null> {
    if (step.kind === 'wait') {
      this.clock.advance(step.ms)
      return null
    }
    try {
      return (await this.#playMoney(step, key)) ?? (await this.#playUnkeyed(step)) ?? (await this.#playKeyed(step, key))
    } catch (error) {
      return refusalOf(step, error)
    }
  }

  /** Deductions and holds, without waiting for one before the next. What came of each. */
  async playAtOnce(rush: readonly { step: Step; key: string }[]): Promise<('done' | CreditErrorCode)[]> {
    const played = rush.map(async ({ step, key }) => {
      const call = this.#ledgerCall(step, key) ?? this.#holdCall(step, key)
      if (call === null) throw new Error('HistoryPlayer: this step can not be played at once')
      try {
        return { outcome: await call(), repeat: call, step }
      } catch (error) {
        return refusalOf(step, error)
      }
    })
    return (await Promise.all(played)).map((answer) => {
      if (typeof answer === 'string') return answer
      this.#remember(answer.outcome)
      this.answered.push(answer)
      return 'done'
    })
  }

  /** Credits available account by account: now, or at a past moment. */
  async balances(at?: Date): Promise<number[]> {
    return Promise.all(
      ACCOUNTS.map(({ user, creditType }) => {
        const userId = this.userIds[user]
        const { credits } = this
        return at === undefined
          ? credits.getBalance(userId, creditType)
          : credits.getBalance(userId, creditType, { at })
      }),
    )
  }

  /** Let us hear of everything that is true at the provider. */
  async tellEverything(): Promise<void> {
    for (const sessionId of this.sessionIds)
      for (const what of ['checkout', 'payment_reversed'] as const) await this.#tell(sessionId, what)
  }

  /** Let nothing of these users come due any more, for those who play on the same store next. */
  async leave(): Promise<void> {
    for (const userId of this.userIds) await this.credits.endPlan({ userId })
    this.clock.advance(FAR_MS)
    await this.credits.runDue()
  }

  async #playKeyed(step: Step, key: string): Promise<'done' | null> {
    const call = this.#ledgerCall(step, key) ?? this.#holdCall(step, key) ?? (await this.#otherCall(step, key))
    if (call === null) return null
    const outcome = await call()
    this.#remember(outcome)
    this.answered.push({ step, outcome, repeat: call })
    return 'done'
  }

  /** Null: this is no step of money. */
  async #playMoney(step: Step, idempotencyKey: string): Promise<'done' | null> {
    if (step.kind === 'buy') {
      const { marketplace } = this.credits
      const { id: packageId } = await marketplace.upsertPackage(PACKAGE)
      const [userId, quantity] = [this.userIds[step.user], step.quantity]
      const { sessionId } = await marketplace.createCheckout({ userId, packageId, quantity, idempotencyKey })
      this.#till.pay(sessionId)
      this.sessionIds.push(sessionId)
      if (step.told) await this.#tell(sessionId, 'checkout')
      return 'done'
    }
    if (step.kind !== 'moneyBack' && step.kind !== 'moneyStays' && step.kind !== 'tell') return null
    const sessionId = latestOf(this.sessionIds, step.purchase)
    if (sessionId === undefined) return 'done'
    if (step.kind === 'moneyBack') this.#till.refund(sessionId, step.amountMinor, step.status)
    if (step.kind === 'moneyStays') this.#till.failRefund(sessionId, step.refund)
    if (step.kind === 'tell') await this.#tell(sessionId, step.what)
    else if (step.told) await this.#tell(sessionId, 'payment_reversed')
    return 'done'
  }

  /** Null: this is no step of ours to do without a key. */
  async #playUnkeyed(step: Step): Promise<'done' | null> {
    if (step.kind === 'runDue') await this.credits.runDue()
    else if (step.kind === 'rebuild') await this.credits.rebuild(this.#account(step.at))
    else return null
    return 'done'
  }

  #ledgerCall(step: Step, idempotencyKey: string): (() => Promise<Outcome>) | null {
    const { credits } = this
    const own = { description: step.kind, idempotencyKey }
    switch (step.kind) {
      case 'add': {
        const { amount, startsIn, lasts, priority, transactionType, source } = step
        const effectiveAt = startsIn === null ? null : this.#in(startsIn)
        const expiresAt = lasts === null ? null : this.#in(Math.max(0, startsIn ?? 0) + lasts)
        const where = source === null ? {} : { source }
        const input = { amount, priority, transactionType, effectiveAt, expiresAt, ...where }
        return written(() => credits.addCredits({ ...this.#account(step.at), ...own, ...input }))
      }
      case 'deduct':
        return written(() => credits.deductCredits({ ...this.#account(step.at), ...own, amount: step.amount }))
      case 'deductMany': {
        const items = step.items.map(({ at, amount }, index) => {
          return { ...this.#account(at), ...own, amount, idempotencyKey: `${idempotencyKey}, item ${index}` }
        })
        return async () => ({ transactions: await credits.deductMany(items) })
      }
      case 'spend': {
        const { userId, creditType } = this.#account(step.at)
        const operation = creditType === 'calling' ? 'transcribe' : 'crawl'
        return written(() => credits.spend({ userId, operation, params: { minutes: step.minutes }, idempotencyKey }))
      }
      case 'adjust':
        return written(() => credits.adjustCredits({ ...this.#account(step.at), ...own, amount: step.amount }))
      case 'refund': {
        const transactionId = latestOf(this.#uses, step.use)
        if (transactionId === undefined) return null
        const part = step.amount === null ? {} : { amount: step.amount }
        return written(() => credits.refundCredits({ transactionId, idempotencyKey, ...part }))
      }
      case 'transfer': {
        const [fromUserId, toUserId] = [this.userIds[step.from], this.userIds[step.from === 0 ? 1 : 0]]
        const input = { fromUserId, toUserId, creditType: 'calling', amount: step.amount, idempotencyKey } as const
        return async () => {
          const { from, to } = await credits.transferCredits(input)
          return { transactions: [from, to] }
        }
      }
      default:
        return null
    }
  }

  #holdCall(step: Step, idempotencyKey: string): (() => Promise<Outcome>) | null {
    const { credits } = this
    if (step.kind === 'hold') {
      const { amount, lasts } = step
      const input = { ...this.#account(step.at), amount, description: 'hold', expiresInSeconds: lasts / 1000 }
      return async () => ({ hold: await credits.holdCredits({ ...input, idempotencyKey }) })
    }
    if (step.kind !== 'capture' && step.kind !== 'release' && step.kind !== 'extend') return null
    const holdId = latestOf(this.#holds, step.hold)
    if (holdId === undefined) return null
    const own = { holdId, idempotencyKey }
    if (step.kind === 'release') return async () => ({ hold: await credits.releaseHold(own) })
    if (step.kind === 'extend')
      return async () => ({ hold: await credits.extendHold({ ...own, expiresInSeconds: step.lasts / 1000 }) })
    const { amount, allowOver, final } = step
    const part = amount === null ? {} : { amount }
    return written(() => credits.captureHold({ ...own, allowOver, final, ...part }))
  }

  async #otherCall(step: Step, idempotencyKey: string): Promise<(() => Promise<Outcome>) | null> {
    const { credits } = this
    switch (step.kind) {
      case 'void':
      case 'voidListed': {
        const grantId = step.kind === 'void' ? latestOf(this.#grants, step.grant) : await this.#listed(step)
        if (grantId === undefined) return null
        return shown(() => credits.voidGrant({ grantId, reason: 'void', idempotencyKey }))
      }
      case 'startPlan': {
        const anchor = step.anchorIn === null ? null : this.#in(step.anchorIn)
        const input = { userId: this.userIds[step.user], plan: step.plan, anchor, idempotencyKey }
        return shown(() => credits.startPlan(input))
      }
      case 'changePlan':
        return shown(() => credits.changePlan({ userId: this.userIds[step.user], plan: step.plan, idempotencyKey }))
      case 'endPlan':
        return shown(() => credits.endPlan({ userId: this.userIds[step.user], idempotencyKey }))
      default:
        return null
    }
  }

  /** Uses, holds and grants to come back to, in the order in which they were made. */
  #remember({ transactions = [], hold }: Outcome): void {
    for (const { id, transactionType, amount, allocations } of transactions) {
      if (transactionType === 'usage') this.#uses.push(id)
      const touched = amount < 0 ? [] : allocations.flatMap(({ grantId }) => grantId ?? [])
      this.#grants.push(...touched.filter((grantId) => !this.#grants.includes(grantId)))
    }
    if (hold !== undefined && !this.#holds.includes(hold.id)) this.#holds.push(hold.id)
  }

  async #listed({ at, place }: { at: number; place: number }): Promise<string | undefined> {
    const { userId, creditType } = this.#account(at)
    return (await this.credits.getGrants(userId, creditType))[place]?.id
  }

  async #tell(sessionId: string, what: Told): Promise<void> {
    await this.credits.marketplace.processEvent(this.#till.event(sessionId, what))
  }

  #account(at: number): { userId: string; creditType: HistoryCreditType } {
    const account = ACCOUNTS[at]
    if (account === undefined) throw new Error(`HistoryPlayer: there is no account ${at}`)
    return { userId: this.userIds[account.user], creditType: account.creditType }
  }

  #in(ms: number): Date {
    return new Date(this.clock.now().getTime() + ms)
  }
}

/** The code of a refusal; anything else is thrown again. */
function refusalOf(step: Step, error: unknown): CreditErrorCode {
  if (isCreditError(error) && (REFUSALS.includes(error.code) || isPlanRefusal(step, error.code))) return error.code
  throw error
}

function isPlanRefusal({ kind }: Step, code: CreditErrorCode): boolean {
  return code === 'INVALID_INPUT' && (kind === 'startPlan' || kind === 'changePlan')
}

function written(call: () => Promise<CreditTransaction>): () => Promise<Outcome> {
  return async () => ({ transactions: [await call()] })
}

function shown(call: () => Promise<unknown>): () => Promise<Outcome> {
  return async () => {
    await call()
    return {}
  }
}
