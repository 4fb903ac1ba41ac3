import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client, Pool } from 'pg'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../adapters/postgres/databases/open.js'
import { migrate, migrateDatabase, type MigrateResult } from '../../adapters/postgres/migrate.js'
import { MIGRATIONS, type Migration } from '../../adapters/postgres/migrations.js'
import { CommitUnknown, type SqlDatabase, type SqlExecutor } from '../../adapters/postgres/sql-database.js'
import { TABLE_NAMES } from '../../adapters/postgres/sql-tables.js'
import { StoreNotConfiguredError } from '../../src/errors.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { createTestPGlite } from '../support/pglite.js'

const EVERY_NUMBER = MIGRATIONS.map(({ number }) => number)
const REPORTS = ['allocations', 'breakage', 'outstanding', 'revenue', 'usage_by_source'].map((name) => `credit_${name}`)
const EVERY_NAME = [...Object.values(TABLE_NAMES), ...REPORTS, 'credit_migrations'].sort()

let database: TestDatabase
let admin: Client
const running = new Set<ReturnType<typeof startProcess>>()

beforeEach(async () => {
  database = await createTestDatabase()
  admin = await connect(database.url)
})

afterEach(async () => {
  for (const each of running) each.kill()
  running.clear()
  await admin.end()
  await database.drop()
})

describe('migrate', () => {
  it('makes every table and view in a schema of its own, and tells what it did', async () => {
    expect(await migrate(database.url)).toEqual({ applied: EVERY_NUMBER, schema: 'creditkit' })
    expect(await relations('creditkit')).toEqual(EVERY_NAME)
    expect(await relations('public')).toEqual([])
    const { rows } = await admin.query('select number, name, applied_at from creditkit.credit_migrations')
    expect(rows).toEqual(MIGRATIONS.map(({ number, name }) => ({ number, name, applied_at: expect.any(Date) as Date })))
  })

  it('changes nothing when run a second and a third time', async () => {
    await migrate(database.url)
    const before = await fingerprint()
    for (let run = 2; run <= 3; run += 1) expect((await migrate(database.url)).applied).toEqual([])
    expect(await fingerprint()).toEqual(before)
  })

  it('takes a pool of the host and leaves it open', async () => {
    const pool = new Pool({ connectionString: database.url })
    try {
      expect((await migrate(pool, { schema: 'billing' })).schema).toBe('billing')
      expect((await pool.query('select count(*)::int as n from billing.user_credits')).rows).toEqual([{ n: 0 }])
    } finally {
      await pool.end()
    }
  })

  it('closes the connections it opened itself', async () => {
    await migrate(database.url)
    await expect.poll(otherConnections).toBe(0)
  })

  it('reads DATABASE_URL when no database is given', async () => {
    const before = process.env['DATABASE_URL']
    process.env['DATABASE_URL'] = database.url
    try {
      expect((await migrate()).applied).toEqual(EVERY_NUMBER)
    } finally {
      if (before === undefined) delete process.env['DATABASE_URL']
      else process.env['DATABASE_URL'] = before
    }
  })

  it.each(['Weird-Näme "x"', 'select', "it's; drop schema public", 'public'])(
    'quotes the schema name %s, and needs no public in the search_path',
    async (schema) => {
      const url = new URL(database.url)
      url.searchParams.set('options', '-c search_path=nowhere')
      expect(await migrate(url.href, { schema })).toEqual({ applied: EVERY_NUMBER, schema })
      expect(await relations(schema)).toEqual(EVERY_NAME)
      expect((await migrate(url.href, { schema })).applied).toEqual([])
    },
  )

  it.each(['', 'a\0b', 'ä'.repeat(32)])('refuses %j, which can be no schema name', async (schema) => {
    await expect(migrate(database.url, { schema })).rejects.toThrow('Not a usable SQL name')
  })

  it('serves several schemas of one database independently', async () => {
    await migrate(database.url, { schema: 'one' })
    expect((await migrate(database.url, { schema: 'two' })).applied).toEqual(EVERY_NUMBER)
    expect(await relations('two')).toEqual(await relations('one'))
  })

  it('makes the tables of an existing, empty schema', async () => {
    await admin.query('create schema creditkit')
    expect((await migrate(database.url)).applied).toEqual(EVERY_NUMBER)
  })
})

describe('migrate, refusing', () => {
  it('leaves a database alone that a newer version has migrated', async () => {
    await migrate(database.url)
    await admin.query("insert into creditkit.credit_migrations values (999, 'from the future', now())")
    const before = await fingerprint()
    const refused = migrate(database.url)
    await expect(refused).rejects.toThrow(StoreNotConfiguredError)
    await expect(refused).rejects.toThrow(/newer than this version.*migration 999.*Upgrade creditkit/s)
    expect(await fingerprint()).toEqual(before)
  })

  it('leaves tables alone that the host owns', async () => {
    await admin.query('create schema creditkit; create table creditkit.user_credits (user_id text)')
    const refused = migrate(database.url)
    await expect(refused).rejects.toThrow(StoreNotConfiguredError)
    await expect(refused).rejects.toThrow(/the application owns these tables/)
    expect(await relations('creditkit')).toEqual(['user_credits'])
  })

  it('says so when something else has one of our names', async () => {
    await admin.query('create schema creditkit; create table creditkit.credit_outbox (n int)')
    const refused = migrate(database.url)
    await expect(refused).rejects.toThrow(StoreNotConfiguredError)
    await expect(refused).rejects.toThrow(/one of our names/)
    expect(await relations('creditkit')).toEqual(['credit_outbox'])
  })
})

describe('migrate, as a role that may not create', () => {
  const role = `app_${process.pid}_${Math.random().toString(36).slice(2)}`

  afterAll(async () => {
    const other = await createTestDatabase()
    const client = await connect(other.url)
    await client.query(`drop role if exists ${role}`)
    await client.end()
    await other.drop()
  })

  beforeEach(async () => {
    await admin.query(`do $$ begin create role ${role} login; exception when duplicate_object then null; end $$`)
    await admin.query('revoke create on schema public from public')
  })

  const asRole = () => {
    const url = new URL(database.url)
    url.username = role
    return url.href
  }

  it('finds everything present and runs no DDL', async () => {
    await migrate(database.url)
    await admin.query(`grant usage on schema creditkit to ${role}`)
    await admin.query(`grant select, insert on all tables in schema creditkit to ${role}`)
    await expect(connect(asRole()).then(tryToCreate)).rejects.toThrow('permission denied')
    expect(await migrate(asRole())).toEqual({ applied: [], schema: 'creditkit' })
  })

  it('names the missing right when there is something to create', async () => {
    const refused = migrate(asRole())
    await expect(refused).rejects.toThrow(StoreNotConfiguredError)
    await expect(refused).rejects.toThrow(/may not create or read.*42501/)
    expect(await relations('creditkit')).toEqual([])
  })

  it('names the missing right when it may not read the history', async () => {
    await migrate(database.url)
    await expect(migrate(asRole())).rejects.toThrow(/may not create or read.*`select` on credit_migrations/)
  })

  it('needs no right on the database when the schema exists and is its own', async () => {
    await admin.query(`create schema creditkit authorization ${role}`)
    expect((await migrate(asRole())).applied).toEqual(EVERY_NUMBER)
    await admin.query(`drop owned by ${role}`)
  })

  async function tryToCreate(client: Client): Promise<void> {
    await client.query('create table creditkit.mine (n int)').finally(() => client.end())
  }
})

describe('migrate, many at once', () => {
  it('lets 20 clients in 5 processes all succeed, with one history', async () => {
    const processes = Array.from({ length: 5 }, () => startProcess(database.url, 4))
    await Promise.all(processes.map(({ ready }) => ready))
    const results = (await Promise.all(processes.map(({ run }) => run()))).flat()
    expect(results).toHaveLength(20)
    expect(results.flatMap(({ applied }) => applied)).toEqual(EVERY_NUMBER)
    expect(await historyOf('creditkit')).toEqual(EVERY_NUMBER)
    expect(await relations('creditkit')).toEqual(EVERY_NAME)
  })

  it('does without advisory locks, by trying again', async () => {
    const databases = Array.from({ length: 20 }, () => openDatabase(database.url))
    try {
      const results = await Promise.all(databases.map((each) => migrateDatabase(withoutLocks(each), 'creditkit')))
      expect(results.flatMap(({ applied }) => applied)).toEqual(EVERY_NUMBER)
      expect(await historyOf('creditkit')).toEqual(EVERY_NUMBER)
    } finally {
      await Promise.all(databases.map((each) => each.close()))
    }
  })

  it.each(['40001', '40P01', '55P03'])('tries again after a transaction that failed with %s', async (code) => {
    const open = openDatabase(database.url)
    try {
      const failing = failingFirst(open, () => Promise.reject(Object.assign(new Error('try again'), { code })))
      expect((await migrateDatabase(failing, 'creditkit')).applied).toEqual(EVERY_NUMBER)
    } finally {
      await open.close()
    }
  })
})

describe('migrate, interrupted', () => {
  it('leaves nothing of a migration that a SIGKILL ended in the middle, and finishes the next time', async () => {
    await admin.query('create schema creditkit')
    // A table of the same name that is not committed: the migration has made others and waits here.
    const gate = await connect(database.url)
    await gate.query('begin; create table creditkit.credit_outbox (n int)')
    const migrating = startProcess(database.url, 1)
    await migrating.ready
    const ended = migrating.run().catch(() => 'died')
    await expect.poll(waitingForLock, { timeout: 20_000 }).toBe(1)
    migrating.kill()
    expect(await ended).toBe('died')
    await gate.query('rollback')
    await gate.end()

    await expect.poll(otherConnections).toBe(0)
    expect(await relations('creditkit')).toEqual([])
    expect((await migrate(database.url)).applied).toEqual(EVERY_NUMBER)
    expect(await relations('creditkit')).toEqual(EVERY_NAME)
  })

  it('keeps the migrations before the one that failed, and goes on after them', async () => {
    const failing: Migration = { number: 2, name: 'broken', statements: () => ['create table x.y.z.nowhere ()'] }
    const second: Migration = {
      number: 2,
      name: 'one more column',
      statements: (schema) => [`alter table ${schema}.credit_packages add column note text`],
    }
    const first = MIGRATIONS[0]
    if (!first) throw new Error('There is a first migration')
    const open = openDatabase(database.url)
    try {
      await expect(migrateDatabase(open, 'creditkit', [first, failing])).rejects.toThrow('Database error')
      expect(await historyOf('creditkit')).toEqual([1])
      expect((await migrateDatabase(open, 'creditkit', [first, second])).applied).toEqual([2])
      expect(await historyOf('creditkit')).toEqual([1, 2])
    } finally {
      await open.close()
    }
  })

  it('looks again after a COMMIT without an answer', async () => {
    const open = openDatabase(database.url)
    try {
      const losing = failingFirst(open, async (commit) => {
        await commit()
        throw new CommitUnknown({ cause: new Error('connection lost') })
      })
      await migrateDatabase(losing, 'creditkit')
      expect(await historyOf('creditkit')).toEqual(EVERY_NUMBER)
      expect(await relations('creditkit')).toEqual(EVERY_NAME)
    } finally {
      await open.close()
    }
  })
})

describe('migrate on PGlite', () => {
  it('makes everything once, also for two callers', async () => {
    const pglite = await createTestPGlite()
    const schema = 'Weird-Näme "x"'
    const results = await Promise.all([migrate(pglite, { schema }), migrate(pglite, { schema })])
    expect(results.flatMap(({ applied }) => applied)).toEqual(EVERY_NUMBER)
    expect((await migrate(pglite, { schema })).applied).toEqual([])
    const { rows } = await pglite.query<{ relname: string }>(RELATIONS, [schema])
    expect(rows.map(({ relname }) => relname)).toEqual(EVERY_NAME)
    await pglite.close()
  })
})

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  return client
}

const RELATIONS = `select relname from pg_class c join pg_namespace n on n.oid = relnamespace
  where nspname = $1 and relkind in ('r', 'v') order by relname collate "C"`

async function relations(schema: string): Promise<string[]> {
  const { rows } = await admin.query<{ relname: string }>(RELATIONS, [schema])
  return rows.map(({ relname }) => relname)
}

async function historyOf(schema: string): Promise<number[]> {
  const { rows } = await admin.query<{ number: number }>(`select number from ${schema}.credit_migrations order by 1`)
  return rows.map(({ number }) => number)
}

/** Changes with every row and every definition written, whatever it is. */
async function fingerprint(): Promise<unknown> {
  const { rows } = await admin.query(
    `select (select array_agg(row(oid, xmin)::text order by oid) from pg_class) as relations,
      (select array_agg(row(m.*, m.xmin)::text order by number) from creditkit.credit_migrations m) as history`,
  )
  return rows
}

async function count(condition: string): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' and ${condition}`,
  )
  return rows[0]?.n ?? 0
}

const otherConnections = () => count('true')
const waitingForLock = () => count("wait_event_type = 'Lock'")

/** One process that will migrate as soon as it is told to. */
function startProcess(url: string, clients: number) {
  const script = fileURLToPath(new URL('./migrate-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, url, 'creditkit', String(clients)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = once(child, 'exit')
  const started = {
    ready: lines.next(),
    run: async (): Promise<MigrateResult[]> => {
      child.stdin.end('go\n')
      const { value } = (await lines.next()) as { value: string | undefined }
      const [code] = (await exited) as [number | null]
      if (code !== 0 || value === undefined) throw new Error(`The process ended with ${String(code)}`)
      // The process's only output, written in migrate-process.ts.
      return JSON.parse(value) as MigrateResult[]
    },
    kill: () => child.kill('SIGKILL'),
  }
  running.add(started)
  return started
}

/** A database that knows no advisory locks and says so as Postgres-like ones do. */
function withoutLocks(database: SqlDatabase): SqlDatabase {
  const refusing = (executor: SqlExecutor): SqlExecutor => ({
    query: async (text, values) => {
      if (!text.includes('advisory')) return executor.query(text, values)
      throw Object.assign(new Error('function does not exist'), { code: '42883' })
    },
  })
  return {
    ...database,
    transaction: (work, options) => database.transaction((tx) => work(refusing(tx)), options),
  }
}

/** A database whose first transaction goes as `first` lets it. */
function failingFirst(database: SqlDatabase, first: (commit: () => Promise<unknown>) => Promise<never>): SqlDatabase {
  let failed = false
  return {
    ...database,
    transaction: async (work, options) => {
      const run = () => database.transaction(work, options)
      if (failed) return run()
      failed = true
      return first(run)
    },
  }
}
