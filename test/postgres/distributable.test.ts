import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodePostgresDatabase } from '../../adapters/postgres/databases/node-postgres.js'
import { migrate } from '../../adapters/postgres/index.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import { MIGRATIONS } from '../../adapters/postgres/migrations.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { sqlStore } from '../../adapters/postgres/store.js'
import { testCreditStore } from '../conformance/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { brokenBySchema, brokenByWords, embeddedValues, readingsOf, skipsRows } from './distributable-rules.js'
import { NotedStatements, notingClient } from './noted-statements.js'

/*
 * The rules of DESIGN section 4 that keep the door open to Citus, YugabyteDB, CockroachDB and Aurora DSQL. The statements
 * judged are those that really run: every one that the conformance suite makes a store send, on a real PostgreSQL.
 */

/** What a statement may do instead of naming its user, by the store's method that sends it, and why. */
const WITHOUT_USER: Record<string, { tables: string[]; why: string }> = {
  // By our own id or a provider's, which is all that a caller has: one row, by an index on every machine.
  findTransaction: { tables: ['credit_transactions'], why: 'by its id' },
  findHold: { tables: ['credit_holds'], why: 'by its id' },
  findGrant: { tables: ['credit_grants', 'user_credits'], why: 'by its id' },
  findPurchase: { tables: ['credit_purchases'], why: 'by its id' },
  findPurchaseWithFacts: { tables: ['credit_payment_facts', 'credit_purchases'], why: 'by its id' },
  findCustomer: { tables: ['credit_customers'], why: "by the provider's id" },
  deleteCustomer: { tables: ['credit_customers'], why: "by the provider's id" },
  // Sweeps, which ask all machines what is to be done, in pages, and then do it user by user.
  findDue: { tables: ['credit_grants', 'credit_holds', 'credit_schedules', 'user_credits'], why: 'by time' },
  findDueTopups: { tables: ['credit_auto_topups', 'user_credits'], why: 'by flag and time' },
  findUsageToRollUp: {
    tables: ['credit_transactions', 'credit_usage_marks'],
    why: "by every account's thousandth row",
  },
  claimEvents: { tables: ['credit_outbox'], why: 'by account, one after the other' },
  listPurchases: { tables: ['credit_purchases'], why: 'by time' },
  // For people, about everybody.
  findUsers: { tables: ['user_credits'], why: 'by the beginning of the id' },
  listParkedEvents: { tables: ['credit_outbox'], why: 'the oldest of all' },
  readMetrics: { tables: ['credit_purchases', 'credit_transactions'], why: 'sums of everything' },
  scanAccounts: {
    tables: [
      ...['credit_grants', 'credit_holds', 'credit_schedules', 'credit_transactions', 'credit_usage_daily'],
      ...['credit_usage_marks', 'user_credits'],
    ],
    why: 'every account, in pages',
  },
}

/** Where rows are counted one by one, and why they are few or nobody waits. */
const COUNTED: Record<string, { tables: string[]; why: string }> = {
  update: { tables: ['credit_purchases'], why: 'those that the command names, by their keys' },
  readUsage: { tables: ['credit_transactions'], why: 'what is newer than the sums: about a thousand' },
  rollUpUsage: { tables: ['credit_transactions'], why: 'a sweep: so many as one step takes' },
  anonymizeUser: { tables: ['credit_purchases', 'user_credits'], why: 'an act of an administrator, on one user' },
  readMetrics: { tables: ['credit_transactions'], why: 'for people, about everybody' },
}

/** The guide's form of a history's page; ours goes on by `seq`. */
const SKIPS_ROWS = ['listTransactions']

let database: TestDatabase
let pool: pg.Pool
/** What each statement was sent by, and everything that went over the wire, BEGIN and COMMIT too. */
const noted = new NotedStatements()
const wire = new Set<string>()

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  pool = new pg.Pool({ connectionString: database.url, max: 8, Client: notingClient(wire) })
  await pool.query(WATCH_VERSIONS)
  wire.clear()
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

testCreditStore('postgresStore, of which every statement is noted', async () => {
  const store = sqlStore(noted.on(nodePostgresDatabase(pool)), ownTables(DEFAULT_SCHEMA))
  return noted.of(store)
})

describe('the statements of a whole conformance run', () => {
  const byMethod = (broken: Iterable<readonly [text: string, tables: string[]]>): Record<string, string[]> => {
    const found: Record<string, Set<string>> = {}
    for (const [text, tables] of broken) {
      for (const name of noted.sentBy.get(text) ?? [])
        for (const table of tables) (found[name] ??= new Set()).add(table)
    }
    return Object.fromEntries(Object.entries(found).map(([name, tables]) => [name, [...tables].sort()]))
  }
  const allowed = (exceptions: typeof COUNTED) =>
    Object.fromEntries(Object.entries(exceptions).map(([name, { tables }]) => [name, [...tables].sort()]))

  it('are those of every method that sends any', async () => {
    const store = sqlStore(noted.on(nodePostgresDatabase(pool)), ownTables(DEFAULT_SCHEMA))
    // Not part of what the suite asks: which accounts are worth summing up is a store's own affair.
    for (const after of [null, { userId: 'user', creditType: 'calling' }])
      await noted.of(store).findUsageToRollUp({ limit: 10, after })
    const methods = Object.keys(store).filter((name) => typeof Reflect.get(store, name) === 'function')
    // `within` and `transaction` hand out the same statements for another connection.
    const silent = ['close', 'transaction', 'within']
    expect(noted.methods).toEqual(methods.filter((name) => !silent.includes(name)).sort())
    expect(noted.sentBy.size).toBeGreaterThan(150)
  })

  it('need no advisory lock, LISTEN, savepoint, trigger, PL/pgSQL, extension or table lock', () => {
    const broken = [...wire].map((text) => [text, brokenByWords(text)]).filter(([, rules]) => rules?.length !== 0)
    expect(broken).toEqual([])
    expect([...wire].some((text) => text.startsWith('begin'))).toBe(true)
  })

  it('skip no rows by OFFSET but for the one list of the guide', () => {
    const broken = [...noted.sentBy].filter(([text]) => skipsRows(text)).flatMap(([, names]) => [...names])
    expect([...new Set(broken)]).toEqual(SKIPS_ROWS)
  })

  it('take ids, times and people as parameters', () => {
    expect([...noted.sentBy.keys()].flatMap(embeddedValues)).toEqual([])
  })

  it('read rows of users by their user_id, but for those that can not know it; and count no table', async () => {
    const client = await pool.connect()
    try {
      // As many accounts as make it worthwhile to look them up.
      await client.query(MANY_ACCOUNTS)
      const readings = new Map<string, Awaited<ReturnType<typeof readingsOf>>>()
      for (const text of noted.sentBy.keys()) readings.set(text, await readingsOf(client, text))
      const of = (part: 'withoutUser' | 'counted') =>
        byMethod([...readings].map(([text, found]) => [text, found[part]] as const))
      expect(of('withoutUser')).toEqual(allowed(WITHOUT_USER))
      expect(of('counted')).toEqual(allowed(COUNTED))
    } finally {
      client.release()
    }
  })

  it('bump the version of every account that they change', async () => {
    const { rows } = await pool.query('select * from watch.unversioned')
    expect(rows).toEqual([])
    const changed = await pool.query<{ versions: number }>(
      'select max(version)::int as versions from creditkit.user_credits',
    )
    expect(changed.rows[0]?.versions).toBeGreaterThan(10)
  })
})

describe('the tables', () => {
  it.each([undefined, 4])('keep to the rules in every constraint and index; partitions: %s', async (partitions) => {
    const schema = `plain_${partitions ?? 'whole'}`
    await migrate(database.url, { schema, partitions })
    await withClient(async (client) => expect(await brokenBySchema(client, schema)).toEqual([]))
  })

  it('are made by statements that use nothing special', () => {
    const statements = MIGRATIONS.flatMap((migration) => migration.statements('"s"', { partitions: null }))
    expect(statements.length).toBeGreaterThan(40)
    expect(statements.flatMap(brokenByWords)).toEqual([])
  })
})

describe('negative control: each rule finds what breaks it', () => {
  it.each([
    ['advisory lock', 'select pg_advisory_xact_lock(1)'],
    ['LISTEN and NOTIFY', 'listen credits'],
    ['LISTEN and NOTIFY', `select pg_notify('credits', 'x')`],
    ['savepoint', 'savepoint before_write'],
    ['savepoint', 'rollback to before_write'],
    ['trigger', 'create constraint trigger t after insert on a execute function f()'],
    ['PL/pgSQL', 'create or replace function f() returns int language sql as $$ select 1 $$'],
    ['PL/pgSQL', 'do $$ begin perform 1; end $$'],
    ['extension', 'create extension if not exists citext'],
    ['exclusion constraint', 'create table a (b int4range, exclude using gist (b with &&))'],
    ['rule', 'create rule r as on insert to a do instead nothing'],
    ['table lock', 'lock table a in exclusive mode'],
  ])('%s: %s', (rule, text) => {
    expect(brokenByWords(text)).toContain(rule)
    expect(brokenByWords(`select '${text.replaceAll("'", "''")}' as said -- ${text}`)).toEqual([])
  })

  it('rows that are skipped, and values that stand in the text', () => {
    expect(skipsRows('select 1 from a limit 10 offset $1')).toBe(true)
    expect(skipsRows('select 1 from a offset 0')).toBe(false)
    expect(embeddedValues(`select 1 from a where id = '01936f0e-0000-7000-8000-000000000001'`)).toHaveLength(1)
    expect(embeddedValues(`select 1 from a where at > '2026-11-23T10:00:00Z' and b = 'usage'`)).toHaveLength(1)
  })

  const T = 'creditkit.credit_transactions'
  it.each([
    [`select * from ${T} where id = $1::text::uuid`, ['credit_transactions']],
    [`select * from ${T} where user_id = $1::text or id = $2::text::uuid`, ['credit_transactions']],
    [`select * from ${T} where ($1::text is null or user_id = $1::text)`, ['credit_transactions']],
    [`select * from ${T} where user_id > $1::text`, ['credit_transactions']],
    [
      `select 1 from ${T} t join creditkit.user_credits a on a.user_id = t.user_id`,
      ['credit_transactions', 'user_credits'],
    ],
    [`update creditkit.user_credits set version = version + 1 where credit_type = $1::text`, ['user_credits']],
    [`delete from creditkit.credit_outbox where id = $1::text::uuid`, ['credit_outbox']],
    [`select * from ${T} where user_id = $1::text and (seq > $2::text::bigint or id = $3::text::uuid)`, []],
    [`select 1 from ${T} t join creditkit.user_credits a on a.user_id = t.user_id where a.user_id = $1::text`, []],
    [`select 1 from ${T} t join jsonb_to_recordset($1::text::jsonb) as x("userId" text) on t.user_id = x."userId"`, []],
  ])('%s reads without a user: %j', async (text, tables) => {
    await withClient(async (client) => expect((await readingsOf(client, text)).withoutUser).toEqual(tables))
  })

  it('rows that are counted one by one', async () => {
    await withClient(async (client) => {
      const counting = `select count(*) from ${T} where user_id = $1::text`
      expect((await readingsOf(client, counting)).counted).toEqual(['credit_transactions'])
      const keys = `select count(*) from jsonb_array_elements($1::text::jsonb)`
      expect((await readingsOf(client, keys)).counted).toEqual([])
    })
  })

  it('a schema with something of everything', async () => {
    await migrate(database.url, { schema: 'broken' })
    await withClient(async (client) => {
      await client.query(`set search_path = broken;
        alter table credit_grants drop constraint credit_grants_pkey, add constraint credit_grants_pkey primary key (id);
        create unique index by_invoice on credit_purchases (invoice_id) include (user_id);
        alter table credit_holds add column number integer generated always as identity;
        alter table credit_usage_marks drop constraint credit_usage_marks_pkey;
        alter table credit_usage_marks alter column user_id drop not null;
        alter table credit_transactions add constraint owned foreign key (user_id, credit_type) references user_credits;
        alter table credit_commands add constraint alone exclude using btree (user_id with =);
        create function f() returns trigger language plpgsql as 'begin return new; end';
        create trigger t before insert on credit_outbox for each row execute function f();
        create rule r as on delete to credit_customers do instead nothing;
        reset search_path`)
      expect(await brokenBySchema(client, 'broken')).toEqual([
        'exclusion constraint: alone',
        'foreign key: owned',
        'function: f',
        'no primary key: credit_usage_marks',
        'no user_id: credit_usage_marks',
        'rule: r',
        'sequence of a table per user: credit_holds_number_seq',
        'trigger: t',
        'unique without user_id: broken.by_invoice',
        'unique without user_id: broken.credit_grants_pkey',
      ])
    })
  })

  it('an account that changes under its old version', async () => {
    await withClient(async (client) => {
      await client.query('begin')
      await client.query(`${MANY_ACCOUNTS}; update creditkit.user_credits set balance = 1 where user_id = 'many-1'`)
      const { rows } = await client.query<{ statement: string }>('select statement from watch.unversioned')
      expect(rows).toEqual([{ statement: expect.stringContaining('set balance = 1') as string }])
      await client.query('rollback')
    })
  })
})

async function withClient(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  try {
    await work(client)
  } finally {
    client.release()
  }
}

/** Of the test alone: notes every account that is changed under the version it had; not those that are renamed, as they are. */
const WATCH_VERSIONS = `
  create schema watch;
  create table watch.unversioned (statement text);
  create function watch.note() returns trigger language plpgsql as $$
    begin
      if new.version <= old.version and new.user_id = old.user_id then insert into watch.unversioned values (current_query()); end if;
      return new;
    end $$;
  create trigger watch after update on creditkit.user_credits for each row execute function watch.note()`

const MANY_ACCOUNTS = `
  insert into creditkit.user_credits (balance, held, debt, total_purchased, total_used, head_remaining, scheduled, seq,
    version, key_version, last_credit, created_at, updated_at, topup_due, user_id, credit_type)
  select 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, now(), now(), false, 'many-' || n, 'calling' from generate_series(1, 20000) n
  on conflict do nothing;
  analyze creditkit.user_credits`
