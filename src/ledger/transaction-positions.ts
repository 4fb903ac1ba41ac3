import type { Transaction } from './transaction.js'

/**
 * Where a list of a user's transactions goes on: by credit type, below which `seq`. A credit type that is not named has
 * nothing (more) in the list. So no page reads what came before it, and no clock can make one lose or repeat a row.
 */
export type TransactionPositions = ReadonlyMap<string, number>

export interface TransactionPage {
  transactions: Transaction[]
  /** Null: the list has ended. */
  next: TransactionPositions | null
}

/**
 * The first `limit` of the rows of a list that went on from `start`, and where it goes on after them. `rows`: one more than
 * the page, where there are as many.
 */
export function pagePositions(
  start: TransactionPositions,
  rows: readonly Transaction[],
  limit: number,
): TransactionPage {
  const transactions = rows.slice(0, limit)
  if (rows.length <= limit) return { transactions, next: null }
  const next = new Map(start)
  for (const { creditType, seq } of transactions) next.set(creditType, seq)
  // Before the first transaction of an account there is none.
  for (const [creditType, seq] of next) if (seq <= 1) next.delete(creditType)
  return { transactions, next }
}
