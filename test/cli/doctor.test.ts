import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { judgeSchema } from '../../adapters/cli/doctor/database.js'
import { memoryStore } from '../../adapters/memory.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { stripePayments } from '../../adapters/stripe/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type Answer, commandLine } from './command-line.js'
import { inEnvironment } from './environment.js'
import { containing, examined, NOTHING_SET, within } from './examination.js'

beforeEach(() => onTestFinished(inEnvironment(NOTHING_SET)))

describe('doctor, where the service can not be made', () => {
  it('says that nothing names a database, and what to do', async () => {
    const answer = await commandLine().creditkit('doctor')
    expect(answer.code).toBe(1)
    expect(answer.stdout).toMatch(/✗ service +no credits\.ts found .* neither DATABASE_URL nor CREDITS_DATA_DIR is set/)
    expect(answer.stdout).toContain('npx creditkit init')
    expect(answer.stdout).toContain('1 check failed.')
  })

  it('says which of Stripe’s settings are missing, and looks at Redis all the same', async () => {
    within({ REDIS_URL: inject('redisUrl') })
    const found = await examined(() => new CreditService({ store: memoryStore(), payments: stripePayments() }))
    expect(found.service).toMatchObject({ status: 'failed', next: containing('put it right in ') })
    expect(found.service?.message).toMatch(/STRIPE_SECRET_KEY .*STRIPE_WEBHOOK_SECRET .*APP_URL /)
    expect(found).toMatchObject({ database: { status: 'skipped' }, redis: { status: 'ok' } })
  })

  it('ends with 2 where --config names no file', async () => {
    expect(await commandLine().creditkit('doctor', '--config', 'none.ts')).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('doctor, about the database', () => {
  let database: TestDatabase
  let admin: Client
  beforeAll(async () => {
    database = await createTestDatabase()
    admin = new Client({ connectionString: database.url })
    await admin.connect()
  })
  afterAll(async () => {
    await admin.end()
    await database.drop()
  })
  const service = () => new CreditService({ creditTypes: ['calls'], store: postgresStore(database.url) })

  it('asks for DATABASE_URL where the store has none', async () => {
    const found = await examined(() => new CreditService({ store: postgresStore() }))
    expect(found.database).toMatchObject({
      ...{ status: 'failed', message: containing('DATABASE_URL is not set') },
      next: 'set DATABASE_URL, in the environment or in .env',
    })
    expect(found).toMatchObject({ schema: { status: 'skipped' }, clock: { status: 'skipped' } })
  })

  it('says that it is down, and why, and never shows the password', async () => {
    const answer = await commandLine(
      () => new CreditService({ store: postgresStore('postgres://app:hunter2@127.0.0.1:1/none') }),
    ).creditkit('doctor', '--debug')
    expect(answer.code).toBe(1)
    expect(answer.stdout).toMatch(
      /✗ database +The database is not available.*ECONNREFUSED 127\.0\.0\.1:1\n +→ is it running/,
    )
    expect(answer.stdout + answer.stderr).not.toContain('hunter2')
  })

  it('says that there are no tables, and how to make them', async () => {
    const found = await examined(service)
    expect(found.schema).toMatchObject({
      ...{ status: 'failed', message: containing('there are no tables of ours') },
      next: 'run: npx creditkit migrate',
    })
    expect(found).toMatchObject({
      database: { status: 'ok' },
      ownership: { status: 'skipped' },
      clock: { status: 'ok' },
    })
  })

  it('finds nothing wrong after migrate, and says so', async () => {
    await migrate(database.url)
    const { code, stdout } = await commandLine(service).creditkit('doctor')
    expect(code).toBe(0)
    expect(stdout).toMatch(/✓ database +PostgreSQL \d+/)
    expect(stdout).toMatch(/✓ schema +schema creditkit is at migration \d+, the newest\n/)
    expect(stdout).toMatch(/✓ ownership +the tables in schema creditkit belong to postgres/)
    expect(stdout).toMatch(/– payments +the service has no `payments`/)
    expect(stdout.endsWith('All is well.\n')).toBe(true)
  })

  it('tells tables that are too old from those that are too new', async () => {
    const schema = { name: 'money', owners: ['postgres'], role: 'postgres', refused: [], missing: [] }
    expect(judgeSchema({ ...schema, migration: 1 }, 2)).toEqual({
      ...{ status: 'failed', message: 'schema money is at migration 1 of 2' },
      next: 'run: npx creditkit migrate --schema money',
    })
    await admin.query(`insert into creditkit.credit_migrations values (99, 'of a later version', now())`)
    const found = await examined(service)
    await admin.query('delete from creditkit.credit_migrations where number = 99')
    expect(found.schema).toMatchObject({
      ...{ status: 'failed', message: containing('is at migration 99, and this version') },
      next: 'upgrade creditkit where this runs',
    })
  })

  it('misses a column, also where the tables are the host’s own', async () => {
    const mine = await createTestDatabase()
    const client = new Client({ connectionString: mine.url })
    try {
      await migrate(mine.url)
      await client.connect()
      const own = () => new CreditService({ store: postgresStore(mine.url) })
      await client.query('alter table creditkit.credit_customers rename column provider to supplier')
      expect((await examined(own)).schema).toMatchObject({
        ...{ status: 'failed', message: containing('missing: credit_customers.provider') },
      })
      await client.query('drop table creditkit.credit_migrations')
      expect((await examined(own)).schema).toMatchObject({
        ...{ status: 'failed', message: containing('are your own; missing: credit_customers.provider') },
        next: containing('drizzle-kit'),
      })
      await client.query('alter table creditkit.credit_customers rename column supplier to provider')
      expect(await examined(own)).toMatchObject({
        schema: { status: 'ok', message: 'the tables in schema creditkit are your own' },
        ownership: { status: 'ok', message: containing('drizzle-kit migrates them') },
      })
    } finally {
      await client.end()
      await mine.drop()
    }
  })

  it('says which rights the role of the service lacks, and when tables belong to several', async () => {
    const role = `app_${randomBytes(6).toString('hex')}`
    await admin.query(`create role ${role} login password 'secret'`)
    const url = Object.assign(new URL(database.url), { username: role, password: 'secret' }).href
    const asApp = () => new CreditService({ store: postgresStore(url) })
    try {
      expect(await examined(asApp)).toMatchObject({
        schema: { status: 'failed' },
        ownership: {
          ...{ status: 'failed', message: containing(`role ${role} lacks in schema creditkit: usage on creditkit`) },
          next: containing(`grant usage on schema creditkit to "${role}"`),
        },
      })
      await admin.query(`grant usage on schema creditkit to ${role}`)
      await admin.query(`grant select, insert, update, delete on all tables in schema creditkit to ${role}`)
      await admin.query(`revoke update, delete on creditkit.credit_transactions from ${role}`)
      await admin.query(`revoke insert on creditkit.credit_holds from ${role}`)
      expect((await examined(asApp)).ownership).toMatchObject({
        ...{ status: 'failed', message: `role ${role} lacks in schema creditkit: insert on credit_holds` },
      })
      await admin.query(`grant insert on creditkit.credit_holds to ${role}`)
      expect((await examined(asApp)).ownership).toMatchObject({
        ...{ status: 'ok', message: containing(`belong to postgres, and the service, ${role}, may use them`) },
      })
      await admin.query(`alter table creditkit.credit_holds owner to ${role}`)
      expect((await examined(service)).ownership).toMatchObject({
        ...{ status: 'warning', message: containing(`belong to several roles (${role}, postgres)`) },
      })
    } finally {
      await admin.query('alter table creditkit.credit_holds owner to postgres')
      await admin.query(`drop owned by ${role}`)
      await admin.query(`drop role ${role}`)
    }
  })

  it('sees that its clock and ours are apart', async () => {
    const realNow = Date.now.bind(Date)
    for (const [apartMs, status] of [
      [5_000, 'warning'],
      [-300_000, 'failed'],
    ] as const) {
      const now = vi.spyOn(Date, 'now').mockImplementation(() => realNow() + apartMs)
      const found = await examined(service).finally(() => now.mockRestore())
      expect(found.clock).toMatchObject({ status, next: containing('NTP') })
    }
  })

  it('warns of credits in memory', { timeout: 120_000 }, async () => {
    expect(await examined(() => new CreditService({ store: memoryStore() }))).toMatchObject({
      database: { status: 'warning', message: containing('gone with the process') },
      schema: { status: 'skipped' },
    })
    expect(await examined(() => new CreditService())).toMatchObject({
      database: { status: 'warning', message: containing('neither DATABASE_URL nor CREDITS_DATA_DIR') },
    })
  })
})

describe('doctor, without a file', () => {
  it('takes the service from the environment, also from .env', async () => {
    const database = await createTestDatabase()
    try {
      await migrate(database.url)
      const { creditkit, cwd } = commandLine()
      writeFileSync(join(cwd, '.env'), `DATABASE_URL=${database.url}\n`)
      const answer: Answer = await creditkit('doctor')
      expect(answer).toMatchObject({ code: 0, stdout: containing('✓ service    from the environment alone') })
    } finally {
      await database.drop()
    }
  })
})
