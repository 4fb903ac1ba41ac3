import { randomUUID } from 'node:crypto'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase } from '../../adapters/postgres/databases/open.js'
import { creditTables, migrate, postgresStore } from '../../adapters/postgres/index.js'
import { anonymizeUser } from '../../adapters/postgres/report-statements.js'
import type { SqlExecutor } from '../../adapters/postgres/sql-database.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { CreditService, UnavailableError } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { outcomes, times } from '../conformance/credit-store/bench.js'
import { PaperTill } from '../ledger/paper-till.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

let database: TestDatabase
let pool: pg.Pool
let store: CreditStore

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 8 })
  await migrate(database.url)
  store = postgresStore(pool)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const account = (userId: string) => ({ userId, creditType: 'calling' as const })

/** Everything a person can leave behind; every text a host could have written says "secret". */
async function leaveTraces(credits: CreditService, userId: string, place: string): Promise<void> {
  const texts = { description: 'secret', referenceId: 'secret', metadata: { name: 'secret' }, actor: 'secret' }
  const write = { ...account(userId), ...texts, referenceType: 'secret' }
  const key = (name: string) => ({ idempotencyKey: `secret-${name}` })
  await credits.addCredits({ ...account(userId), ...key('add'), amount: 100, description: 'secret', actor: 'secret' })
  const use = await credits.deductCredits({ ...write, ...key('use'), amount: 10 })
  await credits.refundCredits({ transactionId: use.id, amount: 4, reason: 'secret', ...key('refund') })
  await credits.holdCredits({ ...write, ...key('hold'), amount: 20 })
  const { id: holdId } = await credits.holdCredits({ ...write, ...key('other hold'), amount: 5 })
  await credits.releaseHold({ holdId, metadata: { name: 'secret' }, ...key('release') })
  const now = '2026-03-10T12:00:00Z'
  await pool.query(
    `insert into ${place}credit_customers (created_at, updated_at, livemode, user_id, provider, customer_id)
     values ($1, $1, false, $2, 'paper', 'cus_1')`,
    [now, userId],
  )
  await pool.query(
    `insert into ${place}credit_outbox
       (seq, position, next_attempt_at, created_at, id, attempts, user_id, credit_type, kind, payload)
     values (1, 0, $1, $1, $2, 0, $3, 'calling', 'added', '{"description": "secret"}')`,
    [now, randomUUID(), userId],
  )
}

/** All rows of all tables, as text. */
async function everything(schema: string): Promise<string> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema = $1 and table_type = 'BASE TABLE'`,
    [schema],
  )
  const texts = []
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string | null }>(
      `select string_agg(to_jsonb(t)::text, ' ') as text from ${name} t`,
    )
    texts.push(rows[0]?.text ?? '')
  }
  return texts.join('\n')
}

describe('forgetting a person', () => {
  it('leaves no text, key or id of theirs in any table, and every sum as it was', async () => {
    const [userId, replacement] = [`ann-${randomUUID()}`, `anonymous-${randomUUID()}`]
    const credits = new CreditService({ store, cache: null })
    await leaveTraces(credits, userId, 'creditkit.')
    const before = await store.readBalance(account(userId), null)
    expect(await everything('creditkit')).toContain('secret')
    expect(await store.anonymizeUser(userId, replacement)).toMatchObject({ accounts: 1 })
    const after = await everything('creditkit')
    expect(after).not.toContain('secret')
    expect(after).not.toContain(userId)
    const { staleAfterMs: _stale, ...figures } = await store.readBalance(account(replacement), null)
    expect(before).toMatchObject(figures)
    expect((await credits.verify({ userId: replacement })).violations).toEqual([])
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
  })

  it('tells apart users it has and has not', async () => {
    expect(await store.anonymizeUser(`nobody-${randomUUID()}`, `anonymous-${randomUUID()}`)).toEqual({
      accounts: 0,
      purchases: 0,
    })
  })

  it('changes nothing when the replacement is a user already', async () => {
    const credits = new CreditService({ store, cache: null })
    const [userId, other] = [`bob-${randomUUID()}`, `cid-${randomUUID()}`]
    await credits.addCredits(userId, 5, 'calling', 'Bob')
    await credits.addCredits(other, 7, 'scraping', 'Cid')
    await expect(store.anonymizeUser(userId, other)).rejects.toThrow()
    expect(await credits.getTransactionHistory(userId)).toMatchObject([{ description: 'Bob', amount: 5 }])
  })

  it("keeps payments: money that goes back later still takes its credits, and isn't credited twice", async () => {
    const till = new PaperTill()
    const credits = new CreditService({ store, cache: null, payments: till })
    const [userId, replacement] = [`dee-${randomUUID()}`, `anonymous-${randomUUID()}`]
    const { marketplace } = credits
    const pack = await marketplace.createPackage({ name: 'P', creditAmount: 90, price: 900, creditType: 'calling' })
    await marketplace.createCheckout({ userId, packageId: pack.id })
    till.pay()
    await marketplace.processEvent(till.event('checkout'))
    expect(await store.anonymizeUser(userId, replacement)).toMatchObject({ accounts: 1 })
    await marketplace.processEvent(till.event('checkout'))
    expect(await credits.getBalance(replacement, 'calling')).toBe(90)
    till.refund(300)
    await marketplace.processEvent(till.event('payment_reversed'))
    expect(await credits.getBalance(replacement, 'calling')).toBe(60)
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect((await credits.verify({ userId: replacement })).violations).toEqual([])
  })

  it('is all or nothing among writes at the same time', { timeout: 60_000 }, async () => {
    const credits = new CreditService({ store, cache: null })
    for (let round = 0; round < 5; round += 1) {
      const [userId, replacement] = [`eve-${randomUUID()}`, `anonymous-${randomUUID()}`]
      await credits.addCredits(userId, 1000, 'calling', 'Before')
      const uses = times(20, () => credits.deductCredits(userId, 1, 'calling', 'Meanwhile'))
      const forgotten = store.anonymizeUser(userId, replacement)
      const { succeeded, codes } = await outcomes(uses)
      expect(await forgotten).toMatchObject({ accounts: 1 })
      expect(await credits.getBalance(replacement, 'calling')).toBe(1000 - succeeded.length)
      const refused = Object.values(codes).reduce((sum, count) => sum + count, 0)
      expect(codes).toEqual(refused === 0 ? {} : { INSUFFICIENT_CREDITS: refused })
      for (const id of [userId, replacement]) expect((await credits.verify({ userId: id })).violations, id).toEqual([])
    }
  })

  it('undoes everything when the user comes to a new account meanwhile', async () => {
    const credits = new CreditService({ store, cache: null })
    const [userId, replacement] = [`fay-${randomUUID()}`, `anonymous-${randomUUID()}`]
    await credits.addCredits(userId, 5, 'calling', 'Before')
    const open = openDatabase(database.url)
    const forgotten = open.transaction(async (tx) => {
      const interrupted: SqlExecutor = {
        query: async (text, values) => {
          if (/^update .*credit_transactions/.test(text)) await credits.addCredits(userId, 7, 'scraping', 'Meanwhile')
          return tx.query(text, values)
        },
      }
      return anonymizeUser(interrupted, ownTables('creditkit'), userId, replacement)
    })
    await expect(forgotten).rejects.toThrow(UnavailableError)
    await open.close()
    const kept = await credits.getTransactionHistory(userId)
    expect(kept.map(({ description }) => description).sort()).toEqual(['Before', 'Meanwhile'])
    expect((await credits.verify({ userId })).violations).toEqual([])
    expect(await credits.getTransactionHistory(replacement)).toEqual([])
  })

  it("empties the texts of a user whose id is the host's own kind, and leaves the id", async () => {
    const tables = creditTables({ schema: 'billing', userId: () => integer('user_id').notNull() })
    const generated = await generateMigration(generateDrizzleJson({}), generateDrizzleJson({ ...tables }))
    for (const statement of generated) await pool.query(statement)
    const hosted = postgresStore(drizzle({ client: pool }), { tables })
    const credits = new CreditService({ store: hosted, cache: null })
    await leaveTraces(credits, '7', 'billing.')
    expect(await hosted.anonymizeUser('7', '7')).toMatchObject({ accounts: 1 })
    expect(await everything('billing')).not.toContain('secret')
    expect(await credits.getTransactionHistory('7')).toHaveLength(3)
    expect((await credits.verify({})).violations).toEqual([])
  })
})
