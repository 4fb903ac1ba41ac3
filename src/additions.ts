import * as z from 'zod'
import type { AddCreditsInput } from './credit-inputs.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { InvalidInputError } from './errors.js'
import * as inputs from './inputs.js'
import type { AccountKey } from './ledger/account.js'
import { addCredits } from './ledger/add.js'
import { type CommandRequest, requestBeyondColumns } from './ledger/request.js'
import { newRowId } from './row-id.js'
import type { Session } from './session.js'

/** What concerns all items of an `addMany` together; items have no `tx` of their own. */
export interface AddManyOptions {
  /** Your own Drizzle transaction: all additions commit or roll back with it. */
  tx?: unknown
}

const MAX_ITEMS = 1000

export const addManyInput = z
  .array(inputs.addCreditsInput.omit({ tx: true }))
  .min(1)
  .max(MAX_ITEMS)

const addManyOptions = z.object({ tx: z.unknown().optional() })

/** What `addCredits` asks for, beyond what stands in columns of its transaction. */
export function additionRequest(input: Omit<z.output<typeof inputs.addCreditsInput>, 'tx'>): CommandRequest {
  const { transactionType, effectiveAt, expiresAt, priority, paidAmount, currency } = input
  return [
    ['operation', 'add'],
    ['transactionType', transactionType],
    ['source', input.source ?? transactionType],
    ['effectiveAt', effectiveAt?.toISOString() ?? null],
    ['expiresAt', expiresAt?.toISOString() ?? null],
    ['priority', priority],
    ['paidAmount', paidAmount],
    ['currency', currency],
  ]
}

/**
 * Several additions, all or none, over any accounts and users. Each may have a key of its own, the same as for
 * `addCredits`: one that happened before counts as done.
 */
export async function addMany<T extends string>(
  session: Session<T>,
  given: readonly Omit<AddCreditsInput<T>, 'tx'>[],
  options: AddManyOptions = {},
): Promise<CreditTransaction<T>[]> {
  const { tx } = inputs.parseInput(addManyOptions, options)
  // Before each of them is looked at.
  inputs.parseInput(z.array(z.unknown()).max(MAX_ITEMS), given)
  const items = inputs.parseInput(addManyInput, given)
  const { commands } = await session.open()
  const store = await session.store(tx)
  const prepared = await Promise.all(
    items.map(async (item) => ({ ...item, account: (await session.account(item)).account, id: newRowId() })),
  )
  refuseRepeatedKeys(prepared)
  const accounts = new Map(prepared.map(({ account }) => [nameOf(account), account]))
  const rows = await commands.run(
    store,
    {
      id: newRowId(),
      userId: prepared[0]?.account.userId ?? '',
      key: null,
      request: [],
      accounts: [...accounts.values()],
      items: prepared.map(({ id, account, ...item }) => ({
        id,
        userId: account.userId,
        key: item.idempotencyKey,
        request: [
          ...additionRequest(item),
          ['creditType', account.creditType],
          ['amount', item.amount],
          ['description', item.description],
          ['referenceId', item.referenceId],
          ['referenceType', item.referenceType],
          ['metadata', item.metadata],
        ],
      })),
      load: { grants: { covering: 0 } },
    },
    (state, now) => {
      const postings = new Map(
        state.accounts.map((account) => [nameOf(account.account), commands.posting(account, now)]),
      )
      const touched = new Set<string>()
      const results = prepared.map(({ account, id, ...item }, index) => {
        const done = state.items[index]
        if (done !== null && done !== undefined) return { transaction: done, isNew: false }
        const posting = postings.get(nameOf(account))
        if (posting === undefined) throw new Error('addMany: the store did not load an account')
        touched.add(nameOf(account))
        const kept = item.idempotencyKey === null ? null : requestBeyondColumns(additionRequest(item))
        const addition = { ...item, id, grantId: id, source: item.source ?? item.transactionType, request: kept }
        return { transaction: addCredits(posting, { ...addition, purchaseId: null }), isNew: true }
      })
      const written = results.filter(({ isNew }) => isNew).map(({ transaction }) => transaction)
      const changed = [...postings].filter(([name]) => touched.has(name)).map(([, posting]) => posting.finish())
      return { result: results, main: null, items: written, accounts: changed }
    },
    () => {
      throw new Error('addMany: a command without a key can not be repeated')
    },
  )
  return rows.map(({ transaction, isNew }, index) =>
    toCreditTransaction<T>(transaction, !isNew && transaction.id !== prepared[index]?.id),
  )
}

function nameOf({ userId, creditType }: AccountKey): string {
  return JSON.stringify([userId, creditType])
}

function refuseRepeatedKeys(items: readonly { account: AccountKey; idempotencyKey: string | null }[]): void {
  const seen = new Set<string>()
  for (const [index, { account, idempotencyKey }] of items.entries()) {
    if (idempotencyKey === null) continue
    const name = JSON.stringify([account.userId, idempotencyKey])
    const message = 'is the key of another item, too; every item is its own intent'
    if (seen.has(name)) throw new InvalidInputError([{ path: `${index}.idempotencyKey`, message }])
    seen.add(name)
  }
}
