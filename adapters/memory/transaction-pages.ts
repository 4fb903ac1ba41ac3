import type { Transaction } from '../../src/ledger/transaction.js'
import type { TransactionQuery } from '../../src/ports/store.js'
import {
  pagePositions,
  type TransactionPage,
  type TransactionPositions,
} from '../../src/ledger/transaction-positions.js'
import type { Ledger } from './ledgers.js'

/** One page of the transactions of a user's accounts; see `CreditStore.listTransactions`. */
export function pageOf(ledgers: readonly Ledger[], query: TransactionQuery): TransactionPage {
  const asked = ledgers.filter(({ account }) => query.creditType === null || account.creditType === query.creditType)
  const start = query.after ?? new Map(asked.map(({ account }) => [account.creditType, account.seq + 1]))
  const rows = asked
    .flatMap((ledger) => placed(ledger, query, start))
    .sort((a, b) => b.moment - a.moment || compareBackwards(a.transaction, b.transaction))
    .map(({ transaction }) => transaction)
  return pagePositions(start, rows.slice(query.offset), query.limit)
}

/** What is left of one account, newest first. Where the clock went back, rows stand where the oldest before them does. */
function placed(
  { account, transactions }: Ledger,
  { transactionType, from, to }: TransactionQuery,
  start: TransactionPositions,
): { transaction: Transaction; moment: number }[] {
  let moment = Infinity
  return transactions
    .filter(({ seq }) => seq < (start.get(account.creditType) ?? 0))
    .filter((row) => transactionType === null || row.transactionType === transactionType)
    .filter(({ createdAt }) => (from === null || createdAt >= from) && (to === null || createdAt < to))
    .sort((a, b) => b.seq - a.seq)
    .map((transaction) => {
      moment = Math.min(moment, transaction.createdAt.getTime())
      return { transaction, moment }
    })
}

function compareBackwards(a: Transaction, b: Transaction): number {
  return b.seq - a.seq || (a.creditType < b.creditType ? -1 : Number(a.creditType > b.creditType))
}
