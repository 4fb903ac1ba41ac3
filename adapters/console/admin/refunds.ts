import type { ProcedureOutput, Visit } from '../frame.js'

type Transaction = ProcedureOutput<'explain'>['transaction']

export interface Refunds {
  /** Newest first. */
  transactions: Transaction[]
  /** Credits given back. */
  total: number
  /** False: there may be more. */
  isComplete: boolean
}

const PER_PAGE = 200
const MAX_PAGES = 5

/** The refunds of a use, among all of the account since then; the first thousand are looked at. */
export async function readRefunds(visit: Visit, use: Transaction): Promise<Refunds> {
  const { userId, creditType, createdAt: from, id } = use
  const found: Transaction[] = []
  let cursor: string | null = null
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const read: ProcedureOutput<'listUserTransactions'> = await visit.run('listUserTransactions', {
      ...{ userId, creditType, transactionType: 'refund', from, limit: PER_PAGE, cursor },
    })
    found.push(...read.transactions.filter(({ relatedTransactionId }) => relatedTransactionId === id))
    cursor = read.nextCursor
    if (cursor === null || sum(found) >= -use.amount)
      return { transactions: found, total: sum(found), isComplete: true }
  }
  return { transactions: found, total: sum(found), isComplete: false }
}

function sum(refunds: readonly Transaction[]): number {
  return refunds.reduce((total, { amount }) => total + amount, 0)
}
