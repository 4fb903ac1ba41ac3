import type { CreditHold } from '../../src/credit-hold.js'
import type { DeductCreditsInput, UserId } from '../../src/credit-inputs.js'
import type { CreditTransaction } from '../../src/credit-transaction.js'
import { HoldInUseError, HoldNotOpenError, InsufficientCreditsError, isCreditError } from '../../src/errors.js'
import type { CaptureHoldInput, ExtendHoldInput, HoldCreditsInput, HoldInput } from '../../src/holds.js'
import type { Logger } from '../../src/ports/logger.js'
import { withRetry } from '../../src/retry.js'
import type { TokenUsage } from './token-usage.js'

/** What is needed of a service. `CreditService` is one. */
export interface CreditMeter<T extends string> {
  holdCredits(input: HoldCreditsInput<string>): Promise<CreditHold<T>>
  captureHold(input: CaptureHoldInput): Promise<CreditTransaction<T>>
  releaseHold(input: HoldInput): Promise<CreditHold<T>>
  extendHold(input: ExtendHoldInput): Promise<CreditHold<T>>
  deductCredits(input: DeductCreditsInput<string>): Promise<CreditTransaction<T>>
}

/** What a call cost. */
export interface CallCharge<T extends string = string> {
  /** Credits that were charged. */
  credits: number
  /** Credits of the cost that could not be charged: the user has no more. Normally 0. */
  uncovered: number
  usage: TokenUsage
  /** The uses it became: one, and one more for each time the answer outgrew what was held. Empty: it cost nothing. */
  transactions: CreditTransaction<T>[]
}

/** How a call is booked. */
export interface Booking {
  userId: UserId
  creditType: string | undefined
  description: string
  referenceId: string | null
  referenceType: string | null
  metadata: Record<string, unknown>
  actor: string | null
  expiresInSeconds: number
}

/** How often a call that was released may be repeated under one key. As `withHold` has it. */
const MAX_REPEATS = 20

/** The answer has been given, so it is worth some waiting: about 3 s in all. */
const CHARGE_ATTEMPTS = 7

/** The credits of one call: held ahead, more as it goes on, charged once. Not for concurrent use. */
export class CallCredits<T extends string> {
  readonly #credits: CreditMeter<T>
  readonly #booking: Booking
  readonly #logger: Logger
  readonly #holds: CreditHold<T>[] = []
  /** Names what this call writes, so that a retry of it has no second effect. */
  readonly #id: string

  private constructor(credits: CreditMeter<T>, booking: Booking, logger: Logger, hold: CreditHold<T> | null) {
    this.#credits = credits
    this.#booking = booking
    this.#logger = logger
    this.#id = hold?.id ?? crypto.randomUUID()
    if (hold !== null) this.#holds.push(hold)
  }

  /**
   * Hold the first credits; 0: none.
   *
   * @throws {InsufficientCreditsError} They are not there.
   * @throws {HoldInUseError} @throws {HoldNotOpenError} A call with this key is at work, or was charged.
   */
  static async begin<T extends string>(
    credits: CreditMeter<T>,
    booking: Booking,
    { amount, key, logger }: { amount: number; key: string | null; logger: Logger },
  ): Promise<CallCredits<T>> {
    const hold = amount === 0 ? null : await holdAnew(credits, { ...booking, amount }, key)
    return new CallCredits(credits, booking, logger, hold)
  }

  get holds(): readonly CreditHold<T>[] {
    return this.#holds
  }

  /** Credits. */
  get held(): number {
    return this.#holds.reduce((sum, { amount }) => sum + amount, 0)
  }

  /**
   * Hold so much that `cost` is covered: as much again as is held, so that long answers need few holds, or what there is.
   *
   * @returns Why it can't be covered, and nothing more is held; null: it is.
   */
  async cover(cost: number): Promise<unknown> {
    const missing = cost - this.held
    if (missing <= 0) return null
    for (let amount = Math.max(missing, this.held); ;) {
      try {
        const idempotencyKey = `ai:${this.#id}:hold:${this.#holds.length}`
        this.#holds.push(
          await untilKnown(() => this.#credits.holdCredits({ ...this.#booking, amount, idempotencyKey })),
        )
        return null
      } catch (error) {
        const less = Math.max(missing, availableBy(error))
        if (!isRefusal(error) || less >= amount) return error
        amount = less
      }
    }
  }

  /** Charge what the call cost, as far as the user has credits, and give the rest back. */
  async charge(cost: number, tokens: Record<string, unknown>): Promise<Omit<CallCharge<T>, 'usage'>> {
    const transactions: CreditTransaction<T>[] = []
    const chargeKey = `ai:${this.#id}:charge`
    let left = cost
    const take = async (charge: (metadata: Record<string, unknown>) => Promise<CreditTransaction<T> | null>) => {
      // Tokens stand with the first use only, so that they can be summed up.
      const about = transactions.length === 0 ? tokens : { continues: this.#holds[0]?.id ?? null }
      const transaction = await charge({ ...this.#booking.metadata, ...about })
      if (transaction === null) return
      transactions.push(transaction)
      left += transaction.amount
    }
    const last = this.#holds.at(-1)
    for (const hold of this.#holds) {
      const amount = hold === last ? left : Math.min(left, hold.amount)
      if (amount === 0) await this.#release(hold)
      else await take((metadata) => this.#capture(hold, amount, metadata))
    }
    if (last === undefined && left > 0) await take((metadata) => this.#deduct(left, chargeKey, metadata))
    return { credits: cost - left, uncovered: left, transactions }
  }

  async release(): Promise<void> {
    for (const hold of this.#holds) await this.#release(hold)
  }

  /** Let the holds live on. */
  async prolong(): Promise<void> {
    const { expiresInSeconds } = this.#booking
    for (const { id: holdId } of this.#holds) {
      try {
        await this.#credits.extendHold({ holdId, expiresInSeconds })
      } catch (error) {
        // It has been charged meanwhile, or has ended: then the call is charged all the same.
        if (error instanceof HoldNotOpenError) continue
        // The next time may succeed.
        this.#logger.warn({ err: error, holdId }, 'the hold of a model call could not be prolonged')
      }
    }
  }

  async #capture(
    hold: CreditHold<T>,
    cost: number,
    metadata: Record<string, unknown>,
  ): Promise<CreditTransaction<T> | null> {
    const idempotencyKey = `ai:${hold.id}:charge`
    const input = { holdId: hold.id, idempotencyKey, metadata, actor: this.#booking.actor, allowOver: true }
    try {
      return await asFarAsThereIs(cost, hold.amount, (amount) => this.#credits.captureHold({ ...input, amount }))
    } catch (error) {
      if (!(error instanceof HoldNotOpenError && error.status === 'expired')) throw error
      // Its time ran out while the process was asleep: it is a use like any other.
      return this.#deduct(cost, idempotencyKey, metadata)
    }
  }

  #deduct(
    cost: number,
    idempotencyKey: string,
    metadata: Record<string, unknown>,
  ): Promise<CreditTransaction<T> | null> {
    const { userId, creditType, description, referenceId, referenceType, actor } = this.#booking
    const input = { userId, creditType, description, referenceId, referenceType, actor, metadata, idempotencyKey }
    return asFarAsThereIs(cost, 0, (amount) => this.#credits.deductCredits({ ...input, amount }))
  }

  async #release({ id: holdId }: CreditHold<T>): Promise<void> {
    try {
      await untilKnown(() => this.#credits.releaseHold({ holdId }))
    } catch (error) {
      // It ends by its timeout, if it has not ended already.
      if (error instanceof HoldNotOpenError) return
      this.#logger.warn(
        { err: error, holdId },
        'the hold of a model call could not be released; it ends by its timeout',
      )
    }
  }
}

/** A hold that nobody else works on: a new one, also where the earlier ones of this key were released. */
async function holdAnew<T extends string>(
  credits: CreditMeter<T>,
  input: Booking & { amount: number },
  key: string | null,
): Promise<CreditHold<T>> {
  if (key === null) return credits.holdCredits(input)
  for (let repeat = 0; ; repeat += 1) {
    const hold = await credits.holdCredits({ ...input, idempotencyKey: repeat === 0 ? key : `${key}#${repeat}` })
    if (!hold.replayed) return hold
    if (hold.status === 'open') throw new HoldInUseError()
    if (hold.status !== 'released' || repeat === MAX_REPEATS) throw new HoldNotOpenError(hold.status)
  }
}

/** Charge the cost; what there is, where there is less; at least what is held. Null: there is nothing. */
async function asFarAsThereIs<T extends string>(
  cost: number,
  held: number,
  charge: (amount: number) => Promise<CreditTransaction<T>>,
): Promise<CreditTransaction<T> | null> {
  for (let amount = cost; amount > 0;) {
    try {
      return await untilKnown(() => charge(amount))
    } catch (error) {
      if (!isRefusal(error) || amount <= held) throw error
      const less = held + availableBy(error)
      // What was there a moment ago is gone again: then what is held, which can't go.
      amount = less < amount ? less : held
    }
  }
  return null
}

/** Answered, and not done: there is not enough, or not now. */
function isRefusal(error: unknown): boolean {
  return isCreditError(error, 'INSUFFICIENT_CREDITS') || isCreditError(error, 'LIMIT_EXCEEDED')
}

/** Credits that there were when a call was refused; an account in debt has none. */
function availableBy(error: unknown): number {
  return error instanceof InsufficientCreditsError ? Math.max(0, error.available) : 0
}

/** Repeat what a fault of the database left open. Refusals are answers: a limit lasts longer than we would wait. */
async function untilKnown<R>(work: () => Promise<R>): Promise<R> {
  const outcome = await withRetry<{ result: R } | { refusal: unknown }>(
    async () => {
      try {
        return { result: await work() }
      } catch (error) {
        if (isRefusal(error)) return { refusal: error }
        throw error
      }
    },
    { attempts: CHARGE_ATTEMPTS },
  )
  if ('refusal' in outcome) throw outcome.refusal
  return outcome.result
}
