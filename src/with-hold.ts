import * as z from 'zod'
import type { CreditHold } from './credit-hold.js'
import { type CreditTransaction, operationRequest, type OperationUse } from './credit-transaction.js'
import { HoldInUseError, HoldNotOpenError, InvalidAmountError, InvalidInputError, isCreditError } from './errors.js'
import {
  capture,
  createHold,
  DEFAULT_HOLD_SECONDS,
  type HoldCreditsInput,
  holdCreditsInput,
  holdSeconds,
  release,
} from './holds.js'
import * as inputs from './inputs.js'
import { deductCredits } from './ledger/deduct.js'
import { operationFields, type OperationParams, type PricedCall, type SpendInput, spendInput } from './operations.js'
import { withRetry } from './retry.js'
import type { Session } from './session.js'

/** Credits to hold, or an operation whose price is held. */
export type WithHoldInput<T extends string> = (
  Omit<HoldCreditsInput<T>, 'tx'> | Omit<SpendInput & { expiresInSeconds?: number | undefined }, 'tx'>
) & {
  /**
   * What a repeat with the same `idempotencyKey` does. `resume`, the default, is for jobs, which one worker runs again
   * after a crash: it works on while the hold is open, and is refused once it has ended.
   *
   * `afterFailure` is for keys that come from outside, where a caller may send many at once: it is refused while the hold
   * is open, so that one charge pays for one piece of work, and works under a new hold once the last was released.
   */
  repeats?: 'resume' | 'afterFailure' | undefined
}

/** The hold while its work runs. */
export interface HeldWork<T extends string> {
  readonly hold: CreditHold<T>
  /** What the work really cost, in credits; 0: nothing. Default: everything that is held. */
  readonly setCost: (amount: number) => void
  /** What the operation's work really was: its price is charged. */
  readonly setParams: (params: OperationParams) => void
}

/** What came of the work, and what it cost. An `uncovered` above 0 is work that was done and not paid for. */
export interface WithHoldResult<T extends string, R> {
  /** What the work returned. */
  result: R
  /** What was charged for it; null: it cost nothing. */
  transaction: CreditTransaction<T> | null
  /** Credits of the cost that could not be charged: it was more than was held, and the user has no more. Normally 0. */
  uncovered: number
}

/** What the work cost; `use`: by which call of its operation, where that is not the one that was held for. */
type Cost = Pick<PricedCall<string>, 'amount'> & { use: OperationUse | null }

/** How often a call that was released may be repeated under one key. */
const MAX_REPEATS = 20

/** What is not for the hold itself. */
const withHoldInput = z.object({ repeats: z.enum(['resume', 'afterFailure']).optional() })

const operationHoldInput = spendInput.extend({ expiresInSeconds: holdSeconds.default(DEFAULT_HOLD_SECONDS) })

/**
 * Hold, work, capture. The work runs with its credits set aside and no database transaction open; when it throws, they
 * are released.
 */
export async function withHold<T extends string, R>(
  session: Session<T>,
  input: WithHoldInput<T>,
  work: (held: HeldWork<T>) => R | Promise<R>,
): Promise<WithHoldResult<T, R>> {
  const { repeats } = inputs.parseInput(withHoldInput, input)
  inputs.parseInput(inputs.callback('work'), { work })
  const { hold, price } = repeats === 'afterFailure' ? await beginAnew(session, input) : await begin(session, input)
  // A repeat of a call that has ended: its work was done.
  if (hold.status !== 'open') throw new HoldNotOpenError(hold.status)
  let cost: Cost = { amount: hold.amount, use: null }
  const held: HeldWork<T> = {
    hold,
    setCost: (amount) => {
      if (amount !== 0) inputs.parseInput(z.object({ amount: inputs.amount }), { amount })
      cost = { amount, use: null }
    },
    setParams: (params) => {
      cost = price(params)
    },
  }
  let result: R
  try {
    result = await work(held)
  } catch (error) {
    await letGo(session, hold)
    throw error
  }
  try {
    return { result, ...(await charge(session, hold, cost)) }
  } catch (error) {
    const message = 'work was done, but its hold could not be captured; it is kept'
    session.logger.error({ err: error, holdId: hold.id, amount: cost.amount }, message)
    throw error
  }
}

/** The hold of this call, and what its operation would cost with other params. */
interface Begun<T extends string> {
  hold: CreditHold<T>
  price: (params: OperationParams) => Cost
}

/** A hold that nobody else works on: a new one, also where the earlier ones of this key were released. */
async function beginAnew<T extends string>(session: Session<T>, given: WithHoldInput<T>): Promise<Begun<T>> {
  for (let repeat = 0; ; repeat += 1) {
    const begun = await begin(session, given, repeat)
    const { replayed, status } = begun.hold
    if (!replayed) return begun
    if (status === 'open') throw new HoldInUseError()
    if (status !== 'released' || repeat === MAX_REPEATS) throw new HoldNotOpenError(status)
  }
}

/** `repeat`: how many holds of this key have been released before; each has a key of its own. */
async function begin<T extends string>(session: Session<T>, given: WithHoldInput<T>, repeat = 0): Promise<Begun<T>> {
  if ('tx' in given && given.tx !== undefined) {
    const message = 'is not for withHold: no database transaction may stay open while the work runs'
    throw new InvalidInputError([{ path: 'tx', message }])
  }
  if (!('operation' in given)) {
    const input = inputs.parseInput(holdCreditsInput, given)
    const hold = await createHold(session, { ...input, idempotencyKey: repeatKey(input.idempotencyKey, repeat) })
    const price = (): never => {
      throw new InvalidInputError([{ path: 'params', message: 'this hold is not for an operation; use setCost' }])
    }
    return { hold, price }
  }
  const input = inputs.parseInput(operationHoldInput, given)
  const { creditType, amount, description, use } = session.prices.price(input.operation, input.params)
  if (amount === 0)
    throw new InvalidAmountError(`Operation "${use.name}" costs 0 credits here: there is nothing to hold`)
  const hold = await createHold(
    session,
    {
      ...input,
      creditType,
      amount,
      description: input.description ?? description,
      idempotencyKey: repeatKey(input.idempotencyKey, repeat),
    },
    { request: operationFields(use), kept: operationRequest(use) },
  )
  return {
    hold,
    price: (params) => {
      const checked = inputs.parseInput(z.object({ params: inputs.metadata }), { params })
      return session.prices.price(use.name, checked.params)
    },
  }
}

/** Charge the cost, again and again where that can help: the work has been done. */
async function charge<T extends string>(
  session: Session<T>,
  hold: CreditHold<T>,
  cost: Cost,
): Promise<{ transaction: CreditTransaction<T> | null; uncovered: number }> {
  const { amount } = cost
  if (amount === 0) {
    await letGo(session, hold)
    return { transaction: null, uncovered: 0 }
  }
  try {
    return { transaction: await captureCost(session, hold, cost), uncovered: 0 }
  } catch (error) {
    const cantPayMore = isCreditError(error, 'INSUFFICIENT_CREDITS') || isCreditError(error, 'LIMIT_EXCEEDED')
    if (cantPayMore && amount > hold.amount) {
      const held = { ...cost, amount: hold.amount }
      return { transaction: await captureCost(session, hold, held), uncovered: amount - hold.amount }
    }
    if (error instanceof HoldNotOpenError && error.status === 'expired') return chargeLate(session, hold, cost)
    throw error
  }
}

function captureCost<T extends string>(
  session: Session<T>,
  hold: CreditHold<T>,
  { amount, use }: Cost,
): Promise<CreditTransaction<T>> {
  const none = { idempotencyKey: null, actor: hold.actor, metadata: null, description: null, userId: undefined }
  const input = { ...none, holdId: hold.id, amount, allowOver: true, final: true }
  const own = { key: chargeKey(hold), ...(use === null ? {} : { operation: operationRequest(use) }) }
  return withRetry(() => capture(session, input, own))
}

/** The hold's time ran out while the work ran: its cost is deducted like any other use, as far as there are credits. */
async function chargeLate<T extends string>(
  session: Session<T>,
  hold: CreditHold<T>,
  cost: Cost,
): Promise<{ transaction: CreditTransaction<T> | null; uncovered: number }> {
  const { store, commands } = await session.open()
  const { referenceId, referenceType, metadata, actor, description } = hold
  const input = {
    referenceId,
    referenceType,
    metadata,
    actor,
    description,
    idempotencyKey: chargeKey(hold),
    amount: null,
  }
  const use = cost.use ?? hold.operation
  const operation = use === null ? {} : operationRequest(use)
  try {
    const transaction = await withRetry(() =>
      commands.write(
        { store, account: hold },
        input,
        [['holdId', hold.id]],
        { grants: { covering: cost.amount } },
        (posting, details) =>
          deductCredits(posting, { ...details, amount: cost.amount, request: { ...details.request, ...operation } }),
      ),
    )
    return { transaction, uncovered: 0 }
  } catch (error) {
    if (isCreditError(error, 'INSUFFICIENT_CREDITS') || isCreditError(error, 'LIMIT_EXCEEDED'))
      return { transaction: null, uncovered: cost.amount }
    throw error
  }
}

function repeatKey(key: string | null, repeat: number): string | null {
  return key === null || repeat === 0 ? key : `${inputs.INTERNAL_KEY_PREFIX}repeat:${repeat}:${key}`
}

function chargeKey({ id }: CreditHold): string {
  return `${inputs.INTERNAL_KEY_PREFIX}charge:${id}`
}

/** A hold that can't be released now ends by its timeout. */
async function letGo<T extends string>(session: Session<T>, hold: CreditHold<T>): Promise<void> {
  const none = { idempotencyKey: null, actor: null, metadata: null, userId: undefined }
  try {
    await withRetry(() => release(session, { ...none, holdId: hold.id }))
  } catch (error) {
    if (error instanceof HoldNotOpenError) return
    session.logger.warn({ err: error, holdId: hold.id }, 'a hold could not be released; it ends by its timeout')
  }
}
