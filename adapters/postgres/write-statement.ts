import type { Decision } from '../../src/ledger/decision.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import type { Command } from '../../src/ports/store.js'
import {
  ACCOUNT_COLUMNS,
  assignments,
  type Column,
  columnNames,
  encodeTransaction,
  EVENT_COLUMNS,
  FACT_COLUMNS,
  GRANT_COLUMNS,
  HOLD_COLUMNS,
  LIMIT_COLUMNS,
  PURCHASE_COLUMNS,
  QUARANTINE_COLUMNS,
  recordset,
  SCHEDULE_COLUMNS,
  toJsonRows,
  TOPUP_COLUMNS,
  TRANSACTION_COLUMNS,
} from './columns.js'
import { ofRoutedUser, target } from './routing.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/**
 * Write a whole decision in one statement. The command's own row (or its key) and its items' rows go first, and everything
 * else only when all of them went in: false means another command had one of their keys or ids, and nothing was written.
 */
export async function writeDecision<R>(
  sql: SqlExecutor,
  tables: SqlTables,
  command: Command,
  decision: Decision<R>,
  now: Date,
): Promise<boolean> {
  const parts = changedParts(command, decision, now)
  if (parts.length === 0) return true
  const rows = Object.fromEntries(parts.map(({ name, columns, records }) => [name, toJsonRows(columns, records)]))
  const [written] = await sql.query(writeStatement(tables, parts), [JSON.stringify(rows)])
  if (written?.ok === 'false') {
    await removeFirstRows(sql, tables, JSON.parse(String(written.went_in)) as WentIn)
    return false
  }
  for (const { name, records } of parts) {
    const count = Number(written?.[`${name}_count`])
    if (count !== records.length)
      throw new Error(`writeDecision: ${count} of ${records.length} rows written to ${name}`)
  }
  return true
}

type PartName = keyof typeof PARTS

interface Part {
  name: PartName
  columns: readonly Column[]
  records: readonly object[]
}

const COMMAND_COLUMNS: readonly Column[] = [
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['key', 'idempotency_key', 'text'],
  ['request', 'request', 'jsonb'],
  ['result', 'result', 'jsonb'],
  ['createdAt', 'created_at', 'timestamptz'],
]

const REFERENCE_COLUMNS: readonly Column[] = [
  ['reference', 'reference', 'text'],
  ['userId', 'user_id', 'user'],
  ['purchaseId', 'purchase_id', 'uuid'],
]

/** An event, and its delivery: to be told at once, never failed, not parked. */
const OUTBOX_COLUMNS: readonly Column[] = [
  ...EVENT_COLUMNS,
  ['attempts', 'attempts', 'integer'],
  ['nextAttemptAt', 'next_attempt_at', 'timestamptz'],
]

/** How each kind of row is written, given where it comes from. First the rows that decide whether this happened before. */
const PARTS = {
  main: { table: 'creditTransactions', columns: TRANSACTION_COLUMNS, first: true },
  command: { table: 'creditCommands', columns: COMMAND_COLUMNS, first: true },
  items: { table: 'creditTransactions', columns: TRANSACTION_COLUMNS, first: true },
  accounts: { table: 'userCredits', columns: ACCOUNT_COLUMNS, first: false },
  transactions: { table: 'creditTransactions', columns: TRANSACTION_COLUMNS, first: false },
  grants: { table: 'creditGrants', columns: GRANT_COLUMNS, first: false },
  holds: { table: 'creditHolds', columns: HOLD_COLUMNS, first: false },
  schedules: { table: 'creditSchedules', columns: SCHEDULE_COLUMNS, first: false },
  limits: { table: 'creditLimitWindows', columns: LIMIT_COLUMNS, first: false },
  topups: { table: 'creditAutoTopups', columns: TOPUP_COLUMNS, first: false },
  events: { table: 'creditOutbox', columns: OUTBOX_COLUMNS, first: false },
  purchases: { table: 'creditPurchases', columns: PURCHASE_COLUMNS, first: false },
  references: { table: 'creditPurchaseReferences', columns: REFERENCE_COLUMNS, first: false },
  facts: { table: 'creditPaymentFacts', columns: FACT_COLUMNS, first: false },
  quarantine: { table: 'creditQuarantine', columns: QUARANTINE_COLUMNS, first: false },
} as const

function changedParts<R>(command: Command, decision: Decision<R>, now: Date): Part[] {
  const { main, items = [], accounts, purchases = [], facts = [], quarantine = [] } = decision
  const keyed = command.key !== null && main === null
  const kept = {
    ...command,
    request: Object.fromEntries(command.request),
    result: decision.keptResult ?? null,
    createdAt: now,
  }
  const first = new Set([...items, ...(main === null ? [] : [main])].map(({ id }) => id))
  const records: Record<PartName, readonly object[]> = {
    main: main === null ? [] : [encodeTransaction(main)],
    command: keyed ? [kept] : [],
    items: items.map(encodeTransaction),
    accounts: accounts.map(({ account }) => account),
    transactions: accounts.flatMap(({ transactions }) =>
      transactions.filter(({ id }) => !first.has(id)).map(encodeTransaction),
    ),
    grants: accounts.flatMap(({ newGrants, changedGrants }) => [...newGrants, ...changedGrants]),
    holds: accounts.flatMap(({ holds }) => holds),
    schedules: accounts.flatMap(({ schedules }) => schedules),
    limits: accounts.flatMap(({ limitCounts }) => limitCounts),
    topups: accounts.flatMap(({ topup }) => topup ?? []),
    events: accounts.flatMap(({ events }) =>
      events.map((event) => ({ ...event, attempts: 0, nextAttemptAt: event.createdAt })),
    ),
    purchases,
    references: referencesOf(purchases),
    facts,
    quarantine,
  }
  const names = Object.keys(PARTS) as PartName[]
  return names
    .map((name) => ({ name, columns: PARTS[name].columns, records: records[name] }))
    .filter((part) => part.records.length > 0)
}

/** By which of the provider's ids purchases are found; of several with the same one (an invoice's), the first. */
function referencesOf(purchases: readonly Purchase[]): object[] {
  const references = new Map<string, object>()
  for (const { id: purchaseId, userId, sessionId, paymentId, invoiceId } of purchases) {
    for (const reference of [sessionId, paymentId, invoiceId]) {
      if (reference !== null && !references.has(reference)) references.set(reference, { reference, userId, purchaseId })
    }
  }
  return [...references.values()]
}

/** One text per set of parts, so that each can be prepared once. */
function writeStatement(tables: SqlTables, parts: readonly Part[]): string {
  const firsts = parts.filter(({ name }) => PARTS[name].first)
  const rest = parts.filter(({ name }) => !PARTS[name].first)
  const all = (count: (name: PartName) => string): string =>
    ['0', ...firsts.map(({ name }) => `(${count(name)})`)].join(' + ')
  const gate = `select ${all((name) => `select count(*) from ${name}_rows`)}
      = ${all((name) => `select jsonb_array_length(j->'${name}') from input`)} as ok`
  const counts = parts.map(({ name }) => `(select count(*)::text from ${name}_rows) as ${name}_count`)
  const wentIn = firsts.map(
    ({ name }) =>
      `'${name}', (select json_agg(json_build_object('id', id, 'userId', user_id::text)) from ${name}_rows)`,
  )
  const written = [
    'input as materialized (select $1::text::jsonb as j)',
    ...firsts.map((part) => `${part.name}_rows as (${insertFirst(tables, part)})`),
    `gate as materialized (${gate})`,
    ...rest.map((part) => `${part.name}_rows as (${writeRest(tables, part)})`),
  ]
  return `with ${written.join(',\n    ')}
    select ok::text as ok, case when not ok then json_build_object(${wentIn.join(', ')})::text end as went_in,
      ${counts.join(', ')}
    from gate`
}

/** In one order, so that two commands with the same keys wait for one another in it. */
function insertFirst(tables: SqlTables, { name, columns }: Part): string {
  return `insert into ${target(tables, PARTS[name].table)} (${columnNames(columns)})
      select ${columnNames(columns, 'x')} from input, ${recordset(`j->'${name}'`, 'x', columns, tables.userIdType)}
      order by x.user_id, x.idempotency_key, x.id on conflict do nothing returning id, user_id`
}

/** The first rows that were inserted although others were not, by part. */
type WentIn = { [part in PartName]?: { id: string; userId: string }[] | null }

/** Take them back: within a host's transaction, nothing else would. */
async function removeFirstRows(sql: SqlExecutor, tables: SqlTables, wentIn: WentIn): Promise<void> {
  for (const name of Object.keys(wentIn) as PartName[]) {
    const rows = wentIn[name] ?? []
    if (rows.length === 0) continue
    await sql.query(
      `delete from ${target(tables, PARTS[name].table)} t
       using jsonb_to_recordset($1::text::jsonb) as x(id uuid, "userId" ${tables.userIdType})
       where t.id = x.id and t.user_id = x."userId"${ofRoutedUser(tables, 't')}`,
      [JSON.stringify(rows)],
    )
  }
}

function writeRest(tables: SqlTables, { name, columns }: Part): string {
  const table = target(tables, PARTS[name].table)
  const source = `input, gate, ${recordset(`j->'${name}'`, 'x', columns, tables.userIdType)}`
  if (name === 'accounts') {
    return `update ${table} a set ${assignments(columns, 'x', ['user_id', 'credit_type', 'created_at'])} from ${source}
      where gate.ok and a.user_id = x.user_id and a.credit_type = x.credit_type${ofRoutedUser(tables, 'a')} returning 1`
  }
  return `insert into ${table} as kept (${columnNames(columns)})
      select ${columnNames(columns, 'x')} from ${source} where gate.ok ${ON_CONFLICT[name] ?? ''} returning 1`
}

/** Of several who resolve an entry, the first one did; but who has granted it at the same time, has granted it. */
function resolvedOnce(column: string): string {
  const counts = "kept.resolved_at is null or (kept.resolution = 'dismissed' and excluded.resolution = 'granted')"
  return `${column} = case when ${counts} then excluded.${column} else kept.${column} end`
}

/** What happens to a row that is there already: its changing columns change. */
const ON_CONFLICT: { readonly [name in PartName]?: string } = {
  grants: `on conflict (user_id, id) do update set ${assignments(GRANT_COLUMNS, 'excluded', ['user_id', 'id', 'credit_type', 'amount', 'seq', 'created_at'])}`,
  holds: `on conflict (user_id, id) do update set ${assignments(HOLD_COLUMNS, 'excluded', ['user_id', 'id', 'credit_type', 'amount', 'created_at'])}`,
  schedules: `on conflict (user_id, id) do update set ${assignments(SCHEDULE_COLUMNS, 'excluded', ['user_id', 'id', 'credit_type', 'created_at'])}`,
  limits: `on conflict (user_id, credit_type, limit_name) do update set ${assignments(LIMIT_COLUMNS, 'excluded', ['user_id', 'credit_type', 'limit_name'])}`,
  topups: `on conflict (user_id, credit_type) do update set ${assignments(TOPUP_COLUMNS, 'excluded', ['user_id', 'credit_type'])}`,
  purchases: `on conflict (user_id, id) do update set ${assignments(PURCHASE_COLUMNS, 'excluded', ['user_id', 'id', 'credit_type', 'credits', 'created_at'])}`,
  // A session, a payment or an invoice belongs to the purchase that named it first.
  references: 'on conflict (reference) do update set purchase_id = kept.purchase_id',
  facts: `on conflict (user_id, purchase_id, id) do update set ${assignments(FACT_COLUMNS, 'excluded', ['user_id', 'purchase_id', 'id'])}`,
  quarantine: `on conflict (id) do update set ${['resolved_at', 'resolved_by', 'resolution'].map(resolvedOnce).join(', ')}`,
}
