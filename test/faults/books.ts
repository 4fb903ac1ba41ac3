import { LIMIT } from './load.js'

/** Reads rows of a database; numbers come as text. */
export type Rows = (sql: string) => Promise<Record<string, unknown>[]>

export interface TransactionRow {
  id: string
  userId: string
  creditType: string
  seq: number
  amount: number
  balanceAfter: number
  actor: string | null
  key: string | null
  type: string
  /** The month of the limit it counts for. */
  month: string
}

export interface HoldRow {
  id: string
  userId: string
  creditType: string
  amount: number
  captured: number
  status: string
  actor: string | null
}

interface AccountRow {
  userId: string
  creditType: string
  balance: number
  held: number
  seq: number
}

/** The ledger, read with plain SQL and by nothing of the library. */
export interface Books {
  accounts: AccountRow[]
  /** By account, in their order there. */
  transactions: TransactionRow[]
  holds: HoldRow[]
  transactionsByActor: Map<string, TransactionRow[]>
  holdsByActor: Map<string, HoldRow[]>
}

export async function readBooks(rows: Rows): Promise<Books> {
  const transactions = (
    await rows(
      `select id::text, user_id, credit_type, seq::text, amount::text, balance_after::text, actor, idempotency_key,
         transaction_type, to_char(created_at at time zone 'UTC', 'YYYY-MM') as month
       from creditkit.credit_transactions t order by t.user_id, t.credit_type, t.seq, t.id`,
    )
  ).map((row) => ({
    ...accountOf(row),
    id: String(row['id']),
    seq: Number(row['seq']),
    amount: Number(row['amount']),
    balanceAfter: Number(row['balance_after']),
    actor: textOrNull(row['actor']),
    key: textOrNull(row['idempotency_key']),
    type: String(row['transaction_type']),
    month: String(row['month']),
  }))
  const holds = (
    await rows(
      `select id::text, user_id, credit_type, amount::text, captured::text, status, actor from creditkit.credit_holds`,
    )
  ).map((row) => ({
    ...accountOf(row),
    id: String(row['id']),
    amount: Number(row['amount']),
    captured: Number(row['captured']),
    status: String(row['status']),
    actor: textOrNull(row['actor']),
  }))
  const accounts = (
    await rows(`select user_id, credit_type, balance::text, held::text, seq::text from creditkit.user_credits`)
  ).map((row) => ({
    ...accountOf(row),
    balance: Number(row['balance']),
    held: Number(row['held']),
    seq: Number(row['seq']),
  }))
  return { accounts, transactions, holds, transactionsByActor: grouped(transactions), holdsByActor: grouped(holds) }
}

/** Every account adds up, row by row, and none has spent what it did not have. */
export function accountFaults({ accounts, transactions, holds }: Books): string[] {
  const faults: string[] = []
  const posted = new Map<string, { balance: number; seq: number }>()
  for (const { userId, creditType, seq, amount, balanceAfter } of transactions) {
    const name = `${userId} ${creditType}`
    const at = posted.get(name) ?? { balance: 0, seq: 0 }
    at.balance += amount
    at.seq += 1
    posted.set(name, at)
    if (seq !== at.seq || balanceAfter !== at.balance)
      faults.push(`chain: ${name}: row ${at.seq} says ${seq}, and ${balanceAfter} instead of ${at.balance}`)
    if (at.balance < 0) faults.push(`overspent: ${name} stood at ${at.balance} after row ${at.seq}`)
  }
  const pinned = new Map<string, number>()
  for (const { userId, creditType, status, amount, captured } of holds) {
    const name = `${userId} ${creditType}`
    if (status === 'open') pinned.set(name, (pinned.get(name) ?? 0) + amount - captured)
  }
  for (const { userId, creditType, balance, held, seq } of accounts) {
    const name = `${userId} ${creditType}`
    const sums = posted.get(name) ?? { balance: 0, seq: 0 }
    posted.delete(name)
    if (balance !== sums.balance || seq !== sums.seq)
      faults.push(`chain: ${name} has ${balance} at ${seq}, its rows ${sums.balance} at ${sums.seq}`)
    if (held !== (pinned.get(name) ?? 0))
      faults.push(`chain: ${name} holds ${held}, its holds ${pinned.get(name) ?? 0}`)
    if (held < 0 || balance < held) faults.push(`overspent: ${name} has ${balance}, of which ${held} are held`)
  }
  for (const name of posted.keys()) faults.push(`chain: ${name} has rows and no account`)
  return faults
}

/** No limited user got more calls than the limit allows. */
export function limitFaults({ transactions }: Books): string[] {
  const used = new Map<string, number>()
  for (const { userId, creditType, type, month } of transactions) {
    const name = `${userId} ${month}`
    if (creditType === 'scraping' && type === 'usage') used.set(name, (used.get(name) ?? 0) + 1)
  }
  return [...used].flatMap(([name, calls]) => (calls > LIMIT ? [`limit: ${name} had ${calls} calls of ${LIMIT}`] : []))
}

function accountOf(row: Record<string, unknown>): { userId: string; creditType: string } {
  return { userId: String(row['user_id']), creditType: String(row['credit_type']) }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function grouped<T extends { actor: string | null }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    if (row.actor === null) continue
    const group = groups.get(row.actor) ?? []
    group.push(row)
    groups.set(row.actor, group)
  }
  return groups
}
