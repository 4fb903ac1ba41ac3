import * as z from 'zod'
import { newRowId } from './row-id.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { InvalidInputError, TransactionNotFoundError } from './errors.js'
import type { UserId } from './credit-inputs.js'
import * as inputs from './inputs.js'
import { balanceAt } from './ledger/balance-at.js'
import { type ExplainedPart, explainParts } from './ledger/explain.js'
import type { Metrics } from './ledger/metrics.js'
import type { Purchase } from './ledger/purchase.js'
import type { Transaction } from './ledger/transaction.js'
import type { CreditStore } from './ports/store.js'
import type { Session } from './session.js'
import { stopPaying } from './subscriptions.js'

/**
 * The figures of `getMetrics`, over all users and the half-open range [from, to). Averages and rates are not rounded.
 */
export interface CreditMetrics extends Metrics {
  /** The range that was asked for. */
  from: Date
  to: Date
  /** Credits used per active user and day of the range, as far as it is over; 0 without active users. */
  averageDailyUsage: number
  /** Number of refunds by number of uses, such as 0.02; 0 without uses. */
  refundRate: number
  /** The moment `outstanding` is about: the end of the range, or now where that is to come. */
  asOf: Date
}

export const metricsInput = z
  .object({ from: inputs.moment, to: inputs.moment, creditType: inputs.creditType })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be after the beginning of the range' })

const DAY_MS = 86_400_000

export async function getMetrics<T extends string>(
  session: Session<T>,
  given: { from: Date; to: Date; creditType?: T | undefined },
): Promise<CreditMetrics> {
  const input = inputs.parseInput(metricsInput, given)
  const { from, to } = input
  const creditType = input.creditType === undefined ? null : session.types.resolve(input.creditType)
  const { store } = await session.open()
  const metrics = await store.readMetrics({ from, to, creditType })
  const now = session.now() ?? new Date()
  const asOf = to < now ? to : now
  const days = Math.max(1, Math.ceil((asOf.getTime() - from.getTime()) / DAY_MS))
  return {
    ...metrics,
    from,
    to,
    averageDailyUsage: metrics.activeUsers === 0 ? 0 : metrics.used / metrics.activeUsers / days,
    refundRate: metrics.uses === 0 ? 0 : metrics.refunds / metrics.uses,
    asOf,
  }
}

export const balanceAtInput = inputs.accountInput.extend({ past: z.object({ at: inputs.moment }) })

/** Credits that were available at a past moment, from the ledger alone. */
export async function getBalanceAt<T extends string>(
  session: Session<T>,
  given: { userId: UserId; creditType: string | undefined; past: { at: Date } },
): Promise<number> {
  const input = inputs.parseInput(balanceAtInput, given)
  const { at } = input.past
  const { store, account } = await session.account(input)
  if (at > (session.now() ?? new Date()))
    throw new InvalidInputError([{ path: 'past.at', message: 'must not be in the future' }])
  let balance = 0
  await store.scanAccounts({ ...account, holds: 'every' }, (history) => {
    balance = balanceAt(history, at)
  })
  return balance
}

/** Where the credits of a transaction came from, or went. */
export interface Explanation<T extends string = string> {
  transaction: CreditTransaction<T>
  /** Part by part, in the order in which they were taken or given back. */
  parts: ExplainedPart[]
  /** The transaction it corrects or answers, where there is one. */
  relatedTransaction: CreditTransaction<T> | null
}

/**
 * Which transaction `getTransaction` shows. One that is not there and one of another user both throw
 * `TransactionNotFoundError`.
 */
export interface GetTransactionInput {
  transactionId: string
  /** Where given, must own the transaction; else anybody's is found. Give it where the id came from a user. */
  userId?: UserId | undefined
}

export const getTransactionInput = z.object({ transactionId: inputs.rowId, userId: inputs.userId.optional() })

export async function getTransaction<T extends string>(
  session: Session<T>,
  given: GetTransactionInput,
): Promise<CreditTransaction<T>> {
  const input = inputs.parseInput(getTransactionInput, given)
  return toCreditTransaction(await findTransaction(session, (await session.open()).store, input))
}

export async function explain<T extends string>(
  session: Session<T>,
  given: GetTransactionInput,
): Promise<Explanation<T>> {
  const input = inputs.parseInput(getTransactionInput, given)
  const { store } = await session.open()
  const transaction = await findTransaction(session, store, input)
  const ids = transaction.allocations.flatMap(({ grantId }) => grantId ?? [])
  const grants = await store.findGrants(transaction.userId, [...new Set(ids)])
  const bought = new Set(grants.flatMap(({ purchaseId }) => purchaseId ?? []))
  const purchases = await Promise.all([...bought].map((id) => store.findPurchase({ id })))
  const found = purchases.filter((purchase): purchase is Purchase => purchase !== null)
  const related = transaction.relatedId === null ? null : await store.findTransaction(transaction.relatedId)
  return {
    transaction: toCreditTransaction(transaction),
    parts: explainParts(
      transaction,
      new Map(grants.map((grant) => [grant.id, grant])),
      new Map(found.map((purchase) => [purchase.id, purchase])),
    ),
    relatedTransaction: related === null ? null : toCreditTransaction(related),
  }
}

/** @throws {TransactionNotFoundError} No such transaction, or not this user's. */
async function findTransaction<T extends string>(
  session: Session<T>,
  store: CreditStore,
  { transactionId, userId }: GetTransactionInput,
): Promise<Transaction> {
  const transaction = inputs.isRowId(transactionId) ? await store.findTransaction(transactionId) : null
  if (transaction === null || !(await session.owns({ userId }, transaction))) throw new TransactionNotFoundError()
  return transaction
}

/** What was found of a person that is to be forgotten. */
export interface Forgotten {
  /** Under which id their ledger stands now. */
  userId: string
  accounts: number
  purchases: number
}

const anonymizeInput = z.object({ userId: inputs.userId })

/** Forget a person and keep the ledger. First of all they stop paying: nobody could tell any more whom for. */
export async function anonymizeUser<T extends string>(
  session: Session<T>,
  given: { userId: UserId },
): Promise<Forgotten> {
  const input = inputs.parseInput(anonymizeInput, given)
  const { store, balances } = await session.open()
  const userId = await session.userId(input)
  if (session.options.payments !== undefined) await stopPaying(await session.till(), userId)
  const replacement = store.userIdType === 'text' ? `anonymous:${newRowId()}` : userId
  const found = await store.anonymizeUser(userId, replacement)
  await balances.forget(session.types.names.map((creditType) => ({ userId, creditType })))
  return { ...found, userId: found.accounts + found.purchases === 0 ? userId : replacement }
}
