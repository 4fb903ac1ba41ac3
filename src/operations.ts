import * as z from 'zod'
import type { UserId, WriteOptions, ReferenceOptions } from './credit-inputs.js'
import { type CreditTransaction, operationRequest, type OperationUse } from './credit-transaction.js'
import type { CreditTypes } from './credit-types.js'
import { InvalidAmountError, InvalidInputError } from './errors.js'
import * as inputs from './inputs.js'
import { deductCredits } from './ledger/deduct.js'
import { type Rounding, unitCost, wholeCredits } from './ledger/price.js'
import type { CommandRequest } from './ledger/request.js'
import type { JsonObject } from './ledger/transaction.js'
import type { Session } from './session.js'

/** What a call of an operation is priced by, in the host's own words. Plain JSON: it is kept with the transaction. */
// The shape is the host's; a narrower type would refuse the cost functions it writes.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type OperationParams = Record<string, any>

/** A named, priced thing users spend credits on. */
export interface Operation<T extends string = string> {
  creditType: T
  /**
   * Credits: a fixed number; so many credits per number of units, `{ unit: 'tokens', credits: 2, per: 1000 }`, where
   * `params.tokens` counts; or a function of `params`.
   */
  cost: number | { unit: string; credits: number; per?: number | undefined } | ((params: OperationParams) => number)
  /** How a cost becomes whole credits. Default `up`. */
  round?: Rounding | undefined
  /** Kept with each transaction as `operation.priceVersion`: change it when the price changes. Default "1". */
  version?: string | number | undefined
  /** Description of its transactions. Default: the operation's name. */
  description?: string | undefined
}

const operationOption = z.strictObject({
  creditType: z.string(),
  cost: z.union(
    [
      z.number().nonnegative(),
      z.strictObject({
        unit: z.string().min(1),
        credits: z.number().nonnegative(),
        per: z.number().positive().default(1),
      }),
      z.custom<(params: OperationParams) => number>((value) => typeof value === 'function'),
    ],
    'must be a number of credits, { unit, credits, per } or a function',
  ),
  round: z.enum(['up', 'down', 'nearest']).default('up'),
  version: z
    .union([inputs.identifier.max(100), z.number()])
    .default('1')
    .transform(String),
  description: inputs.description.optional(),
})

/** A call with its price. */
export interface PricedCall<T extends string> {
  creditType: T
  /** Whole credits; 0 where the call is free. */
  amount: number
  description: string
  use: OperationUse
}

/** The operations of one service, checked once. */
export class PriceList<T extends string> {
  readonly #operations: ReadonlyMap<string, z.output<typeof operationOption> & { creditType: T }>

  constructor(operations: { [name: string]: Operation<T> }, types: CreditTypes<T>) {
    this.#operations = new Map(
      Object.entries(operations).map(([name, operation]) => {
        const checked = operationOption.safeParse(operation)
        if (!checked.success) {
          const issues = checked.error.issues.map(({ path, message }) => {
            return { path: ['operations', name, ...path].join('.'), message }
          })
          throw new InvalidInputError(issues)
        }
        return [name, { ...checked.data, creditType: types.resolve(checked.data.creditType) }]
      }),
    )
  }

  /** @throws {InvalidInputError} An unknown operation. @throws {InvalidAmountError} Its cost is no number of credits. */
  price(name: string, params: JsonObject): PricedCall<T> {
    const operation = this.#operations.get(name)
    if (operation === undefined) {
      const known = [...this.#operations.keys()].join(', ') || 'none'
      throw new InvalidInputError([{ path: 'operation', message: `"${name}" is not configured; known: ${known}` }])
    }
    const { creditType, cost, round, version, description = name } = operation
    const amount = wholeCredits(costOf(cost, params), round, `operation "${name}"`)
    return { creditType, amount, description, use: { name, params, priceVersion: version } }
  }
}

function costOf(cost: z.output<typeof operationOption>['cost'], params: JsonObject): unknown {
  if (typeof cost === 'number') return cost
  if (typeof cost === 'function') return cost(params)
  const units = params[cost.unit]
  if (typeof units !== 'number' || !Number.isFinite(units) || units < 0)
    throw new InvalidInputError([{ path: `params.${cost.unit}`, message: 'must be a number, not negative' }])
  return unitCost(cost, units)
}

/** Which call of an operation `quote` prices. Quoting writes and sets aside nothing. */
export interface QuoteInput {
  /** Where given, the quote says whether this user can pay. */
  userId?: UserId | undefined
  /** Its name in the option `operations`. */
  operation: string
  /** What its cost is computed from. Plain JSON, at most 16 kB. Default: none. */
  params?: OperationParams | undefined
}

const params = inputs.optional(inputs.metadata).transform((value): JsonObject => value ?? {})

export const quoteInput = z.object({ userId: inputs.userId.optional(), operation: inputs.configuredName, params })

/**
 * What a call of an operation would cost now. The last four fields are there where a user was named, and tell of the
 * balance without setting anything aside.
 */
export interface Quote<T extends string = string> {
  operation: string
  creditType: T
  /** Whole credits, rounded as the operation says; 0: free. */
  amount: number
  /** The operation's `version`. */
  priceVersion: string
  /** Credits available to the user; negative while there is debt. */
  balance?: number
  /** The balance covers `amount`. A limit may still refuse the call. */
  affordable?: boolean
  /** Credits that are missing; 0: none. */
  shortfall?: number
  /** What the call would leave; negative where it is not affordable. */
  after?: number
}

/** What a call would cost. Only spending decides: the balance may change meanwhile. */
export async function quote<T extends string>(session: Session<T>, given: QuoteInput): Promise<Quote<T>> {
  const input = inputs.parseInput(quoteInput, given)
  const { creditType, amount, use } = session.prices.price(input.operation, input.params)
  const priced: Quote<T> = { operation: use.name, creditType, amount, priceVersion: use.priceVersion }
  if (input.userId === undefined) return priced
  const { store, account } = await session.account({ userId: input.userId, creditType })
  const { balance } = await store.readBalance(account, session.now())
  const shortfall = Math.max(0, amount - balance)
  return { ...priced, balance, affordable: shortfall === 0, shortfall, after: balance - amount }
}

/**
 * What `spend` takes. Credit type and amount come from the operation's price; a call that costs 0 credits throws
 * `InvalidAmountError`.
 */
export type SpendInput = WriteOptions &
  ReferenceOptions & {
    userId: UserId
    /** Its name in the option `operations`. */
    operation: string
    /** What its cost is computed from; kept with the transaction. Plain JSON, at most 16 kB. Default: none. */
    params?: OperationParams | undefined
    /** Default: the operation's. */
    description?: string | undefined
  }

export const spendInput = z.object({
  userId: inputs.userId,
  operation: inputs.configuredName,
  params,
  description: inputs.description.optional(),
  referenceId: inputs.optional(inputs.identifier),
  referenceType: inputs.optional(inputs.identifier),
  ...inputs.everyWrite,
})

/** Deduct what an operation costs. */
export async function spend<T extends string>(session: Session<T>, given: SpendInput): Promise<CreditTransaction<T>> {
  const input = inputs.parseInput(spendInput, given)
  const { creditType, amount, description, use } = session.prices.price(input.operation, input.params)
  const { commands } = await session.open()
  const call = await session.account({ userId: input.userId, creditType, tx: input.tx })
  const keep = (request: JsonObject | null): JsonObject => ({ ...request, ...operationRequest(use) })
  return commands.write(
    call,
    // Not compared with the first call's: the price of a repeat may have changed.
    { ...input, amount: null, description: input.description ?? description },
    [
      ['operation', 'spend'],
      ...operationFields(use),
      ['creditType', creditType],
      ['description', input.description ?? description],
      ['referenceId', input.referenceId],
      ['referenceType', input.referenceType],
    ],
    { grants: { covering: amount } },
    (posting, details) => {
      // Not before: a repeat returns the first result, though the price has become 0 meanwhile.
      if (amount === 0)
        throw new InvalidAmountError(`Operation "${use.name}" costs 0 credits here: there is nothing to spend`)
      return deductCredits(posting, { ...details, amount, request: keep(details.request) })
    },
    amount === 0 ? null : { amount, keep },
  )
}

/** What tells one call of an operation from another: not its price. */
export function operationFields({ name, params: given }: OperationUse): CommandRequest {
  return [
    ['pricedOperation', name],
    ['params', given],
  ]
}
