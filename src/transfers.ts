import * as z from 'zod'
import { newRowId } from './row-id.js'
import type { CreditTypeField } from './credit-types.js'
import type { DeductCreditsInput, ReferenceOptions, UserId, WriteOptions } from './credit-inputs.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { InvalidInputError } from './errors.js'
import * as inputs from './inputs.js'
import type { AccountKey } from './ledger/account.js'
import { deductCredits } from './ledger/deduct.js'
import { type CommandRequest, requestBeyondColumns } from './ledger/request.js'
import type { Transaction } from './ledger/transaction.js'
import { transferCredits } from './ledger/transfer.js'
import { readWritten } from './read-written.js'
import type { Session } from './session.js'

/**
 * What `transferCredits` takes. Two different users, one credit type; only credits that are available can move.
 * `idempotencyKey` is the sender's.
 */
export type TransferCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions &
  ReferenceOptions & {
    fromUserId: UserId
    toUserId: UserId
    /** Credits, a positive integer. */
    amount: number
    /** In the history of both. At most 2,000 characters, default: "Transfer". */
    description?: string | undefined
  }

export const transferCreditsInput = z.object({
  fromUserId: inputs.userId,
  toUserId: inputs.userId,
  amount: inputs.amount,
  creditType: inputs.creditType,
  description: inputs.description.default('Transfer'),
  referenceId: inputs.optional(inputs.identifier),
  referenceType: inputs.optional(inputs.identifier),
  ...inputs.everyWrite,
})

/** The two transactions of one transfer, written together; each names the other as `relatedTransactionId`. */
export interface Transfer<T extends string = string> {
  /** The sender's transaction; its amount is negative. */
  from: CreditTransaction<T>
  /** The receiver's; its amount is positive. */
  to: CreditTransaction<T>
}

export async function transfer<T extends string>(
  session: Session<T>,
  given: TransferCreditsInput<T>,
): Promise<Transfer<T>> {
  const input = inputs.parseInput(transferCreditsInput, given)
  const { commands } = await session.open()
  const { store, account: sender } = await session.account({ ...input, userId: input.fromUserId })
  const { account: receiver } = await session.account({ ...input, userId: input.toUserId })
  if (sender.userId === receiver.userId)
    throw new InvalidInputError([{ path: 'toUserId', message: 'must be another user than the sender' }])
  const { amount, description, referenceId, referenceType, metadata, actor, idempotencyKey: key } = input
  const beyond: CommandRequest = [
    ['operation', 'transfer'],
    ['toUserId', receiver.userId],
  ]
  const id = newRowId()
  const request = key === null ? null : requestBeyondColumns(beyond)
  const details = { id, description, referenceId, referenceType, metadata, actor, idempotencyKey: key, request }
  const outcome = await commands.run<{ sent: Transaction | null; received: Transaction | null }>(
    store,
    {
      id,
      userId: sender.userId,
      key,
      request: [
        ...beyond,
        ['creditType', sender.creditType],
        ['amount', -amount],
        ['description', description],
        ['referenceId', referenceId],
        ['referenceType', referenceType],
        ['metadata', metadata],
      ],
      accounts: [sender, receiver],
      load: { grants: { covering: amount } },
    },
    ({ accounts: [fromState, toState] }, now) => {
      const from = commands.posting(fromState, now)
      const to = commands.posting(toState, now)
      const { sent, received } = transferCredits(from, to, { ...details, amount })
      return { result: { sent, received }, main: sent, accounts: [from.finish(), to.finish()] }
    },
    ({ transaction }) => ({ sent: transaction, received: null }),
  )
  const { sent } = outcome
  const receivedId = sent?.relatedId ?? null
  const received =
    outcome.received ?? (receivedId === null ? null : await readWritten(() => store.findTransaction(receivedId)))
  if (sent === null || received === null) throw new Error('transferCredits: the repeated transfer is not in the ledger')
  const replayed = outcome.received === null && sent.id !== id
  return { from: toCreditTransaction(sent, replayed), to: toCreditTransaction(received, replayed) }
}

/** What concerns all items of a `deductMany` together; items have no `tx` of their own. */
export interface DeductManyOptions {
  /** Your own Drizzle transaction: all deductions commit or roll back with it. */
  tx?: unknown
}

const MAX_ITEMS = 1000

export const deductManyInput = z
  .array(inputs.deductCreditsInput.omit({ tx: true }))
  .min(1)
  .max(MAX_ITEMS)

const deductManyOptions = z.object({ tx: z.unknown().optional() })

/**
 * Several deductions, all or none, over any accounts and users. Each may have a key of its own: one that happened before
 * counts as done.
 */
export async function deductMany<T extends string>(
  session: Session<T>,
  given: readonly Omit<DeductCreditsInput<T>, 'tx'>[],
  options: DeductManyOptions = {},
): Promise<CreditTransaction<T>[]> {
  const { tx } = inputs.parseInput(deductManyOptions, options)
  // Before each of them is looked at.
  inputs.parseInput(z.array(z.unknown()).max(MAX_ITEMS), given)
  const items = inputs.parseInput(deductManyInput, given)
  const { commands } = await session.open()
  const store = await session.store(tx)
  const calls = await Promise.all(items.map((item) => session.account(item)))
  const prepared = items.map((item, index) => {
    const account = calls[index]?.account
    if (account === undefined) throw new Error('deductMany: an item without an account')
    return { ...item, account, id: newRowId() }
  })
  refuseRepeatedKeys(prepared)
  const accounts = distinctAccounts(prepared.map(({ account }) => account))
  const largest = accounts.map((key) => sumOf(prepared.filter(({ account }) => isSame(account, key))))
  const rows = await commands.run(
    store,
    {
      id: newRowId(),
      userId: prepared[0]?.account.userId ?? '',
      key: null,
      request: [],
      accounts,
      items: prepared.map(({ id, account, idempotencyKey, ...item }) => ({
        id,
        userId: account.userId,
        key: idempotencyKey,
        request: [
          ['operation', 'deduct'],
          ['creditType', account.creditType],
          ['amount', -item.amount],
          ['description', item.description],
          ['referenceId', item.referenceId],
          ['referenceType', item.referenceType],
          ['metadata', item.metadata],
        ],
      })),
      load: { grants: { covering: Math.max(...largest) } },
    },
    (state, now) => {
      const postings = state.accounts.map((account) => commands.posting(account, now))
      const results = prepared.map(({ account, amount, idempotencyKey, ...item }, index) => {
        const done = state.items[index]
        if (done !== null && done !== undefined) return { transaction: done, isNew: false }
        const { id, description, referenceId, referenceType, metadata, actor } = item
        const details = { id, description, referenceId, referenceType, metadata, actor, idempotencyKey, request: null }
        const posting = postings.find(({ key }) => isSame(key, account))
        if (posting === undefined) throw new Error('deductMany: the store did not load an account')
        return { transaction: deductCredits(posting, { ...details, amount }), isNew: true }
      })
      const written = results.filter(({ isNew }) => isNew).map(({ transaction }) => transaction)
      const touched = postings.filter(({ key }) => written.some((transaction) => isSame(transaction, key)))
      return { result: results, main: null, items: written, accounts: touched.map((posting) => posting.finish()) }
    },
    () => {
      throw new Error('deductMany: a command without a key can not be repeated')
    },
  )
  return rows.map(({ transaction, isNew }, index) =>
    toCreditTransaction<T>(transaction, !isNew && transaction.id !== prepared[index]?.id),
  )
}

function refuseRepeatedKeys(items: readonly { account: AccountKey; idempotencyKey: string | null }[]): void {
  const keys = items.map(({ account, idempotencyKey }) =>
    idempotencyKey === null ? null : JSON.stringify([account.userId, idempotencyKey]),
  )
  const index = keys.findIndex((key, at) => key !== null && keys.indexOf(key) !== at)
  if (index < 0) return
  const message = 'is the key of another item, too; every item is its own intent'
  throw new InvalidInputError([{ path: `${index}.idempotencyKey`, message }])
}

function distinctAccounts(keys: readonly AccountKey[]): AccountKey[] {
  return keys.filter((key, index) => keys.findIndex((other) => isSame(other, key)) === index)
}

function isSame(a: AccountKey, b: AccountKey): boolean {
  return a.userId === b.userId && a.creditType === b.creditType
}

function sumOf(items: readonly { amount: number }[]): number {
  return Math.min(
    Number.MAX_SAFE_INTEGER,
    items.reduce((sum, { amount }) => sum + amount, 0),
  )
}
