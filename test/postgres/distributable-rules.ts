import type pg from 'pg'
import { TABLE_NAMES } from '../../adapters/postgres/sql-tables.js'

/*
 * What our statements and tables must keep to, so that a database that spreads users over machines can run them: DESIGN
 * section 4. Postgres itself says what a statement reads, and by which conditions: its plan is asked for, not its text.
 */

/** Tables of which no user owns rows: packages, what a provider sent, what may be nobody's. */
const OF_NOBODY: ReadonlySet<string> = new Set([
  TABLE_NAMES.creditPackages,
  TABLE_NAMES.creditWebhookEvents,
  TABLE_NAMES.creditQuarantine,
  // Kept by the provider's id, which finds the user: small tables of their own.
  TABLE_NAMES.creditPurchaseReferences,
  TABLE_NAMES.creditSubscriptions,
])

/** Tables whose rows belong to a user, and go where the user goes. Not the view. */
export const PER_USER: ReadonlySet<string> = new Set(
  Object.values(TABLE_NAMES).filter((name) => name !== TABLE_NAMES.creditOpenGrants && !OF_NOBODY.has(name)),
)

/** Words that a distributed database may not know, none of which we need. */
const UNKNOWN_ELSEWHERE: readonly (readonly [rule: string, words: RegExp])[] = [
  ['advisory lock', /\bpg_(try_)?advisory/],
  ['LISTEN and NOTIFY', /\b(listen|unlisten|notify|pg_notify)\b/],
  ['savepoint', /\b(savepoint|rollback\s+to|release\s+savepoint)\b/],
  ['trigger', /\bcreate\s+(or\s+replace\s+)?(constraint\s+|event\s+)?trigger\b/],
  ['PL/pgSQL', /\bplpgsql\b|^\s*do\b|\bcreate\s+(or\s+replace\s+)?(function|procedure)\b/],
  ['extension', /\bcreate\s+extension\b/],
  ['exclusion constraint', /\bexclude\s+(using|\()/],
  ['rule', /\bcreate\s+(or\s+replace\s+)?rule\b/],
  ['table lock', /\block\s+table\b/],
]

/** What in a statement's words breaks a rule. */
export function brokenByWords(text: string): string[] {
  const words = withoutLiterals(text).toLowerCase()
  return UNKNOWN_ELSEWHERE.filter(([, pattern]) => pattern.test(words)).map(([rule]) => rule)
}

/** `offset` of anything but 0, which is a fence and skips nothing. */
export function skipsRows(text: string): boolean {
  return /\boffset\s+(?!0\b)/i.test(withoutLiterals(text))
}

/** A value that belongs to one call: an id, a moment, a person. They are parameters, or each call is planned anew. */
export function embeddedValues(text: string): string[] {
  const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i
  return literalsOf(text).filter((literal) => uuid.test(literal) || /^user-|^\d{4}-\d\d-\d\dT|^\d{6,}$/.test(literal))
}

const LITERAL = /'((?:[^']|'')*)'/g

function literalsOf(text: string): string[] {
  return [...text.matchAll(LITERAL)].map(([, literal]) => literal ?? '')
}

/** Neither what stands in quotes, nor comments. */
function withoutLiterals(text: string): string {
  return text
    .replace(LITERAL, "''")
    .replace(/"(?:[^"]|"")*"/g, '""')
    .replace(/--[^\n]*/g, '')
}

/** How Postgres would run a statement, for whatever its parameters are. */
export interface StatementReadings {
  /** Per-user tables that are read without a user: no condition ties `user_id` to a parameter or to rows that were sent. */
  withoutUser: string[]
  /** Per-user tables whose rows are counted one by one. */
  counted: string[]
}

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  Alias?: string
  Output?: string[]
  Plans?: PlanNode[]
  [field: string]: unknown
}

const CONDITIONS = ['Index Cond', 'Recheck Cond', 'Filter', 'Hash Cond', 'Merge Cond', 'Join Filter', 'One-Time Filter']

/** Ask Postgres how it would run the statement; nothing is run. */
export async function readingsOf(client: pg.ClientBase, text: string): Promise<StatementReadings> {
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
    `explain (generic_plan, verbose, format json) ${text}`,
  )
  const nodes = (rows[0]?.['QUERY PLAN'] ?? []).flatMap(({ Plan }) => allNodes(Plan))
  // What a bitmap is made by is one of several ways to its rows; which rows are meant stands where they are read.
  const conditions = nodes
    .filter((node) => node['Node Type'] !== 'Bitmap Index Scan')
    .flatMap((node) => CONDITIONS.flatMap((field) => node[field] ?? []))
    .map(String)
  const scans = nodes.filter(isScanOfUsers)
  const bound = boundAliases(new Set(scans.map(({ Alias }) => String(Alias))), conditions)
  return {
    withoutUser: unique(scans.filter(({ Alias }) => !bound.has(String(Alias))).map(tableOf)),
    counted: unique(
      nodes
        .filter(
          (node) =>
            node['Node Type'] === 'Aggregate' && (node.Output ?? []).some((value) => value.includes('count(*)')),
        )
        .flatMap((node) => allNodes(node).filter(isScanOfUsers).map(tableOf)),
    ),
  }
}

/**
 * Per-user tables that a statement with these values does not compare with one user by themselves, but with other rows only: so
 * Citus could not tell which machine to ask. As Citus does, Postgres is asked for a plan for these values.
 */
export async function readWithoutOneUser(
  client: pg.ClientBase,
  text: string,
  values: readonly (string | null)[],
): Promise<string[]> {
  const types = values.length === 0 ? '' : `(${values.map(() => 'text').join(', ')})`
  const given = values.map((value) => (value === null ? 'null' : client.escapeLiteral(value))).join(', ')
  await client.query(`set plan_cache_mode = force_custom_plan; prepare asked${types} as ${text}`)
  try {
    const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
      `explain (verbose, format json) execute asked${values.length === 0 ? '' : `(${given})`}`,
    )
    const scans = (rows[0]?.['QUERY PLAN'] ?? []).flatMap(({ Plan }) => allNodes(Plan)).filter(isScanOfUsers)
    return unique(scans.filter((scan) => !namesOneUser(scan)).map(tableOf))
  } finally {
    await client.query('deallocate asked; reset plan_cache_mode')
  }
}

function namesOneUser(scan: PlanNode): boolean {
  const own = CONDITIONS.flatMap((field) => scan[field] ?? []).map(String)
  return own.some((condition) =>
    splitAt(unwrapped(condition), ' AND ').some((part) =>
      /\.user_id\)* = E?'(?:[^']|'')*'(::\w+)*\)*$/s.test(unwrapped(part)),
    ),
  )
}

function isScanOfUsers(node: PlanNode): boolean {
  return node['Node Type'].includes('Scan') && PER_USER.has(tableOf(node))
}

/** A partition stands for its table. */
function tableOf(node: PlanNode): string {
  return (node['Relation Name'] ?? '').replace(/^(credit_transactions)_p\d+$/, '$1')
}

function allNodes(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(allNodes)]
}

function unique(names: string[]): string[] {
  return [...new Set(names)].sort()
}

/** Of the tables under these names, those whose user is tied to something else than one another's. */
function boundAliases(aliases: ReadonlySet<string>, conditions: readonly string[]): Set<string> {
  const ties = conditions.flatMap(tiesOf)
  const isBound = (name: string): boolean => !aliases.has(name) || bound.has(name)
  const bound = new Set<string>()
  for (let before = -1; before < bound.size;) {
    before = bound.size
    for (const [one, other] of ties) {
      if (isBound(one)) bound.add(other)
      if (isBound(other)) bound.add(one)
    }
  }
  return bound
}

/** The two sides of every equation of a `user_id` that holds for each row: names of tables, or what is none. */
function tiesOf(condition: string): [string, string][] {
  const bare = unwrapped(condition)
  const all = splitAt(bare, ' AND ')
  if (all.length > 1) return all.flatMap(tiesOf)
  const any = splitAt(bare, ' OR ').map(tiesOfBranch)
  return any.every((ties) => ties.length > 0) ? any.flat() : []
}

function tiesOfBranch(branch: string): [string, string][] {
  const bare = unwrapped(branch)
  if (splitAt(bare, ' AND ').length > 1 || splitAt(bare, ' OR ').length > 1) return tiesOf(bare)
  const sides = splitAt(bare, ' = ').map((side) => /^\(*("[^"]+"|\w+)\.user_id\)*$/.exec(side.trim())?.[1])
  if (sides.length !== 2 || sides.every((side) => side === undefined)) return []
  const [left = A_VALUE, right = A_VALUE] = sides.map((side) => side?.replaceAll('"', ''))
  return [[left, right]]
}

const A_VALUE = 'a value'

/** Split outside of parentheses and quotes. */
function splitAt(text: string, separator: string): string[] {
  const parts = ['']
  let depth = 0
  let quote = ''
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (quote === '' && depth === 0 && text.startsWith(separator, at)) {
      parts.push('')
      at += separator.length - 1
      continue
    }
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === "'" || character === '"') quote = character
    else if (character === '(') depth += 1
    else if (character === ')') depth -= 1
    parts.push(`${parts.pop() ?? ''}${character}`)
  }
  return parts
}

/** Without the parentheses around all of it. */
function unwrapped(text: string): string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('(') || !trimmed.endsWith(')')) return trimmed
  const inside = trimmed.slice(1, -1)
  let depth = 0
  for (const character of inside.replace(/'[^']*'|"[^"]*"/g, '')) {
    depth += character === '(' ? 1 : character === ')' ? -1 : 0
    if (depth < 0) return trimmed
  }
  return unwrapped(inside)
}

/** What in a schema breaks a rule: in Postgres' own words. */
export async function brokenBySchema(client: pg.ClientBase, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ broken: string }>(
    `with tables as (
       select c.oid, c.relname from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p')
     )
     select 'unique without user_id: ' || i.indexrelid::regclass as broken
     from pg_index i join tables t on t.oid = i.indrelid
     where i.indisunique and (t.relname = any($2) or t.relname like 'credit\\_transactions\\_p%')
       and not exists (select from unnest(i.indkey::int2[]) with ordinality k(attnum, n) join pg_attribute a
         on a.attrelid = t.oid and a.attnum = k.attnum where a.attname = 'user_id' and k.n <= i.indnkeyatts)
     union all
     select 'no user_id: ' || t.relname from tables t where t.relname = any($2)
       and not exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'user_id' and a.attnotnull)
     union all
     select 'no primary key: ' || t.relname from tables t
       where not exists (select from pg_constraint o where o.conrelid = t.oid and o.contype = 'p')
     union all
     select case o.contype when 'x' then 'exclusion constraint: ' when 'f' then 'foreign key: ' else 'deferrable: ' end || o.conname
     from pg_constraint o join tables t on t.oid = o.conrelid where o.contype in ('x', 'f') or o.condeferrable
     union all
     select 'trigger: ' || g.tgname from pg_trigger g join tables t on t.oid = g.tgrelid where not g.tgisinternal
     union all
     select 'function: ' || p.proname from pg_proc p where p.pronamespace = $1::regnamespace
     union all
     select 'rule: ' || r.rulename from pg_rewrite r join tables t on t.oid = r.ev_class
     union all
     select 'sequence of a table per user: ' || s.relname from pg_class s join pg_depend d on d.objid = s.oid
       join tables t on t.oid = d.refobjid where s.relkind = 'S' and t.relname = any($2)
     union all
     select 'extension: ' || e.extname from pg_extension e where e.extname <> 'plpgsql'
     order by 1`,
    [schema, [...PER_USER]],
  )
  return rows.map(({ broken }) => broken)
}
