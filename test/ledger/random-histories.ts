import fc from 'fast-check'
import type { CreditService } from '../../src/credit-service.js'
import { isCreditError } from '../../src/errors.js'
import type { GrantSource } from '../../src/ledger/grant.js'
import type { StoppedClock } from '../conformance/credit-store/bench.js'
import { AccountModel, type Answer } from './history-model.js'

/** One step of a history. Times are milliseconds from the step's own now. */
export type Step =
  | {
      kind: 'add'
      amount: number
      startsIn: number | null
      lasts: number | null
      priority: number
      transactionType: 'purchase' | 'refund' | 'adjustment'
      source: GrantSource | null
    }
  | { kind: 'deduct'; amount: number }
  | { kind: 'refund'; use: number; amount: number | null }
  | { kind: 'adjust'; amount: number }
  | { kind: 'wait'; ms: number }

const amount = fc.integer({ min: 1, max: 60 })

/** Short spans, so that grants start and end all the time, often at the very moment of another step. */
const span = fc.integer({ min: 1, max: 12 }).map((units) => units * 1000)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      amount,
      startsIn: fc.option(fc.oneof(span, fc.constant(-5000), fc.constant(0)), { freq: 2 }),
      lasts: fc.option(span, { freq: 2 }),
      priority: fc.integer({ min: -1, max: 1 }),
      transactionType: fc.constantFrom('purchase' as const, 'refund' as const, 'adjustment' as const),
      source: fc.option(fc.constantFrom<GrantSource>('purchase', 'subscription', 'promotional', 'adjustment')),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('deduct' as const), amount }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('refund' as const), use: fc.nat({ max: 8 }), amount: fc.option(amount) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('adjust' as const),
      amount: fc.integer({ min: -40, max: 40 }).filter((value) => value !== 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: span }) },
)

export const histories = fc.array(step, { minLength: 1, maxLength: 25, size: 'max' })

/** Fixed, so that a failure in CI is the same everywhere. `TEST_HISTORIES` runs more of them. */
export const SETTINGS = { seed: 20_261_122, numRuns: Number(process.env.TEST_HISTORIES ?? 100) }

/** Plays histories on one account of a service. */
export class Player {
  readonly model = new AccountModel()
  readonly #credits: CreditService
  readonly #clock: StoppedClock
  readonly #userId: string
  readonly #uses: string[] = []

  constructor(credits: CreditService, clock: StoppedClock, userId: string) {
    this.#credits = credits
    this.#clock = clock
    this.#userId = userId
  }

  /** What the model says should happen. Null: the step does not apply here. */
  foresee(step: Step): Answer | null {
    const now = this.#clock.now().getTime()
    switch (step.kind) {
      case 'add': {
        const { startsIn, lasts, priority, transactionType, source } = step
        const startsAt = startsIn === null ? -Infinity : now + startsIn
        const endsAt = lasts === null ? Infinity : now + Math.max(0, startsIn ?? 0) + lasts
        const paid = (source ?? transactionType) === 'purchase' || source === 'subscription'
        return this.model.add(step.amount, { startsAt, endsAt, priority, paid, startOrder: startsAt })
      }
      case 'deduct':
        return this.model.deduct(step.amount, now)
      case 'adjust':
        return this.model.adjust(step.amount, now)
      case 'refund':
        return this.#uses[step.use] === undefined ? null : this.model.refund(step.use, step.amount, now)
      case 'wait':
        return null
    }
  }

  /** What does happen. `key`: the idempotency key of the step. */
  async play(step: Step, key: string): Promise<Answer | null> {
    if (step.kind === 'wait') {
      this.#clock.advance(step.ms)
      return null
    }
    try {
      const id = await this.#call(step, key)
      if (id === null) return null
      if (step.kind === 'deduct') this.#uses.push(id)
      return 'done'
    } catch (error) {
      if (isCreditError(error, 'INSUFFICIENT_CREDITS')) return 'insufficient'
      if (isCreditError(error, 'ALREADY_REFUNDED')) return 'already-refunded'
      if (isCreditError(error, 'NOT_REFUNDABLE')) return 'too-much'
      throw error
    }
  }

  async #call(step: Exclude<Step, { kind: 'wait' }>, idempotencyKey: string): Promise<string | null> {
    const base = { userId: this.#userId, creditType: 'calling', description: step.kind, idempotencyKey } as const
    const now = this.#clock.now().getTime()
    switch (step.kind) {
      case 'add': {
        const { startsIn, lasts, source, kind: _kind, ...rest } = step
        const effectiveAt = startsIn === null ? null : new Date(now + startsIn)
        const expiresAt = lasts === null ? null : new Date(now + Math.max(0, startsIn ?? 0) + lasts)
        const where = source === null ? {} : { source }
        return (await this.#credits.addCredits({ ...base, ...rest, ...where, effectiveAt, expiresAt })).id
      }
      case 'deduct':
        return (await this.#credits.deductCredits({ ...base, amount: step.amount })).id
      case 'adjust':
        return (await this.#credits.adjustCredits({ ...base, amount: step.amount })).id
      case 'refund': {
        const transactionId = this.#uses[step.use]
        if (transactionId === undefined) return null
        const part = step.amount === null ? {} : { amount: step.amount }
        return (await this.#credits.refundCredits({ transactionId, idempotencyKey, ...part })).id
      }
    }
  }
}
