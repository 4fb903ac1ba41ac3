import { type Account, type AccountKey, emptyAccount } from '../../src/ledger/account.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import type { RolledUpUsage } from '../../src/ledger/usage.js'
import type { CreditStore } from '../../src/ports/store.js'
import {
  ACCOUNT_COLUMNS,
  decodeTransaction,
  fromJsonRow,
  GRANT_COLUMNS,
  HOLD_COLUMNS,
  jsonRow,
  SCHEDULE_COLUMNS,
  TRANSACTION_COLUMNS,
} from './columns.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'
import { rolledUpUsage } from './usage-statements.js'

/** Accounts read at once, and transactions read at once: what bounds memory. */
const ACCOUNTS_PER_PAGE = 200
const TRANSACTIONS_PER_PAGE = 10_000

/** Which accounts to visit, and which of their holds to show. */
export type ScanQuery = Parameters<CreditStore['scanAccounts']>[0]

/** Visit every account with all its grants and transactions, page by page; `sql` must be one snapshot. */
export async function scanLedger(
  sql: SqlExecutor,
  tables: SqlTables,
  query: ScanQuery,
  visit: (history: AccountHistory) => void,
): Promise<void> {
  for (let last: AccountKey | null = null; ;) {
    const page = await selectAccountPage(sql, tables, query, last)
    if (page.length === 0) break
    const transactions = await selectHistories(sql, tables, page)
    for (const part of page) visit({ ...part, transactions: transactions.get(mapKey(part.account)) ?? [] })
    last = page.at(-1)?.account ?? null
  }
  // A ledger without an account row breaks every rule; show it as an empty account with transactions.
  const orphans = await selectOrphans(sql, tables, query)
  const transactions = await selectHistories(sql, tables, orphans)
  for (const { account } of orphans)
    visit({ account, grants: [], holds: [], schedules: [], transactions: transactions.get(mapKey(account)) ?? [] })
}

type AccountPart = Omit<AccountHistory, 'transactions'>

async function selectAccountPage(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { userId, creditType, holds }: ScanQuery,
  after: AccountKey | null,
): Promise<AccountPart[]> {
  const conditions = [
    userId === null ? null : `a.user_id = $1::text::${userIdType}`,
    creditType === undefined ? null : 'a.credit_type = $2::text',
    after === null ? null : `(a.user_id, a.credit_type) > ($3::text::${userIdType}, $4::text)`,
  ].filter((condition) => condition !== null)
  const grantColumns = GRANT_COLUMNS.map(([, column]) =>
    column === 'remaining'
      ? 'case when a.head_grant_id = id then a.head_remaining else remaining end as remaining'
      : column,
  )
  const rows = await sql.query(
    `select json_build_object(
       'account', ${jsonRow(ACCOUNT_COLUMNS, 'a')},
       'grants', (select json_agg(${jsonRow(GRANT_COLUMNS, 'g')}) from (
          select ${grantColumns.join(', ')}
          from ${names.creditGrants} own where user_id = a.user_id and credit_type = a.credit_type) g),
       'holds', (select json_agg(${jsonRow(HOLD_COLUMNS, 'h')} order by h.created_at, h.id) from ${names.creditHolds} h
          where h.user_id = a.user_id and h.credit_type = a.credit_type${holds === 'every' ? '' : ` and h.status = 'open'`}),
       'schedules', (select json_agg(${jsonRow(SCHEDULE_COLUMNS, 's')} order by s.created_at, s.id) from ${names.creditSchedules} s
          where s.user_id = a.user_id and s.credit_type = a.credit_type and s.status = 'active'),
       'rolledUp', ${rolledUpUsage(names)}
     )::text as row
     from (select $1::text, $2::text, $3::text, $4::text) sent, ${names.userCredits} a
     ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
     order by a.user_id, a.credit_type limit ${ACCOUNTS_PER_PAGE}`,
    [userId, creditType ?? null, after?.userId ?? null, after?.creditType ?? null],
  )
  return rows.map(({ row }) => decodeAccountPart(JSON.parse(String(row)) as JsonAccountPart))
}

interface JsonAccountPart {
  account: unknown
  grants: unknown[] | null
  holds: unknown[] | null
  schedules: unknown[] | null
  rolledUp: RolledUpUsage
}

function decodeAccountPart({ account, grants, holds, schedules, rolledUp }: JsonAccountPart): AccountPart {
  return {
    account: fromJsonRow(ACCOUNT_COLUMNS, account),
    grants: (grants ?? []).map((grant) => fromJsonRow(GRANT_COLUMNS, grant)),
    holds: (holds ?? []).map((hold) => fromJsonRow(HOLD_COLUMNS, hold)),
    schedules: (schedules ?? []).map((schedule) => fromJsonRow(SCHEDULE_COLUMNS, schedule)),
    rolledUp,
  }
}

/** The transactions of these accounts, each account's in order of seq. */
async function selectHistories(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  page: readonly { account: AccountKey }[],
): Promise<Map<string, Transaction[]>> {
  const found = new Map<string, Transaction[]>()
  const keys = JSON.stringify(page.map(({ account: { userId, creditType } }) => ({ userId, creditType })))
  for (let last: Transaction | null = null; page.length > 0;) {
    const rows = await sql.query(
      `select ${jsonRow(TRANSACTION_COLUMNS, 't')}::text as row
       from jsonb_to_recordset($1::text::jsonb) as x("userId" ${userIdType}, "creditType" text)
       join ${names.creditTransactions} t on t.user_id = x."userId" and t.credit_type = x."creditType"
       where $2::text is null or (t.user_id, t.credit_type, t.seq) > ($2::text::${userIdType}, $3::text, $4::text::bigint)
       order by t.user_id, t.credit_type, t.seq limit ${TRANSACTIONS_PER_PAGE}`,
      [keys, last?.userId ?? null, last?.creditType ?? null, last === null ? null : String(last.seq)],
    )
    const transactions = rows.map(({ row }) => decodeTransaction(JSON.parse(String(row))))
    for (const transaction of transactions) {
      const key = mapKey(transaction)
      found.set(key, found.get(key) ?? [])
      found.get(key)?.push(transaction)
    }
    last = transactions.at(-1) ?? null
    if (transactions.length < TRANSACTIONS_PER_PAGE) break
  }
  return found
}

async function selectOrphans(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { userId, creditType }: ScanQuery,
): Promise<{ account: Account }[]> {
  const rows = await sql.query(
    `select distinct t.user_id::text as user_id, t.credit_type from ${names.creditTransactions} t
     where ($1::text is null or t.user_id = $1::text::${userIdType}) and ($2::text is null or t.credit_type = $2::text)
       and not exists (select from ${names.userCredits} a where a.user_id = t.user_id and a.credit_type = t.credit_type)
     limit ${ACCOUNTS_PER_PAGE}`,
    [userId, creditType ?? null],
  )
  return rows.map(({ user_id, credit_type }) => ({
    account: emptyAccount({ userId: String(user_id), creditType: String(credit_type) }, new Date(0)),
  }))
}

function mapKey({ userId, creditType }: AccountKey): string {
  return JSON.stringify([userId, creditType])
}
