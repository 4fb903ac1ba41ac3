import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import pg from 'pg'
import postgres from 'postgres'
import { pgliteStore } from '../../adapters/pglite.js'
import { postgresStore } from '../../adapters/postgres/index.js'
import type { CreditService, CreditServiceOptions } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestPGlite } from '../support/pglite.js'

/** The part of Drizzle's transaction these tests use; its full type differs from driver to driver. */
export interface HostTransaction {
  execute(query: unknown): PromiseLike<unknown>
}

/** A host with Drizzle, whose store is on the same database. */
export interface Host {
  store: CreditStore
  transaction<T>(work: (tx: HostTransaction) => Promise<T>): Promise<T>
  end(): Promise<void>
}

/** Hosts by their driver, on the database at `url` (PGlite: on one of its own). */
const HOSTS: Record<string, (url: string) => Promise<Host>> = {
  'Drizzle on node-postgres': async (url) => {
    const pool = new pg.Pool({ connectionString: url, max: 6 })
    const db = drizzleNodePostgres({ client: pool })
    return { store: postgresStore(db), transaction: (work) => db.transaction(work), end: () => pool.end() }
  },
  'Drizzle on postgres.js': async (url) => {
    const client = postgres(url, { max: 6, onnotice: () => undefined })
    const db = drizzlePostgresJs({ client })
    return { store: postgresStore(db), transaction: (work) => db.transaction(work), end: () => client.end() }
  },
  'Drizzle on PGlite': async () => {
    const client = await createTestPGlite()
    const db = drizzlePGlite({ client })
    return { store: pgliteStore({ client }), transaction: (work) => db.transaction(work), end: () => client.close() }
  },
}

export const HOST_NAMES = Object.keys(HOSTS)

/** Hosts with several connections. */
export const POOL_NAMES = HOST_NAMES.filter((name) => name !== 'Drizzle on PGlite')

export async function openHost(name: string, url: string): Promise<Host> {
  const open = HOSTS[name]
  if (open === undefined) throw new Error(`no host ${name}`)
  return open(url)
}

/** What a store hands out as `tx` is a Drizzle transaction, whichever it is. */
export function isHostTransaction(tx: unknown): tx is HostTransaction {
  return typeof tx === 'object' && tx !== null && 'execute' in tx && typeof tx.execute === 'function'
}

/** The rows of a raw result, which Drizzle gives as the driver does. */
export function rowsOf(result: unknown): unknown[] {
  const rows: unknown = typeof result === 'object' && result !== null && 'rows' in result ? result.rows : result
  if (!Array.isArray(rows)) throw new Error('rowsOf: no rows')
  return Array.from<unknown>(rows)
}

/** What a service needs for {@link everyWrite}. */
export const EVERY_WRITE: CreditServiceOptions = {
  operations: { lead: { creditType: 'calling', cost: 2 } },
  plans: {
    small: { grants: [{ creditType: 'enrichment', amount: 10, every: 'month' }] },
    large: { grants: [{ creditType: 'enrichment', amount: 25, every: 'month' }] },
  },
}

/** Every kind of write, one after the other; `tx`: all of them inside of it. Returns whom else it wrote to. */
export async function everyWrite(credits: CreditService, userId: string, tx?: HostTransaction): Promise<string> {
  const [plain, friend] = [{ creditType: 'calling', description: 'In a transaction' } as const, `${userId}'s friend`]
  const base = { ...plain, userId, tx }
  await credits.addCredits({ ...base, amount: 100 })
  const used = await credits.deductCredits({ ...base, amount: 30 })
  await credits.refundCredits({ transactionId: used.id, amount: 10, tx })
  await credits.adjustCredits({ ...base, amount: -5 })
  const captured = await credits.holdCredits({ ...base, amount: 10 })
  const released = await credits.holdCredits({ ...base, amount: 10 })
  const extended = await credits.holdCredits({ ...base, amount: 10 })
  await credits.captureHold({ holdId: captured.id, amount: 4, tx })
  await credits.releaseHold({ holdId: released.id, tx })
  await credits.extendHold({ holdId: extended.id, expiresInSeconds: 86_400, tx })
  await credits.transferCredits({ fromUserId: userId, toUserId: friend, amount: 11, creditType: 'calling', tx })
  const both = [
    { ...plain, userId, amount: 3 },
    { ...plain, userId: friend, amount: 1 },
  ]
  await credits.deductMany(both, { tx })
  await credits.spend({ userId, operation: 'lead', tx })
  const gift = await credits.addCredits({ ...base, creditType: 'scraping', amount: 5 })
  await credits.voidGrant({ grantId: gift.id, reason: 'A mistake', tx })
  await credits.startPlan({ userId, plan: 'small', tx })
  await credits.changePlan({ userId, plan: 'large', tx })
  await credits.endPlan({ userId, tx })
  return friend
}

/** The balances it ends with, and the number of transactions it writes for its own user. */
export const AFTER_EVERY_WRITE = {
  transactions: 12,
  balances: {
    calling: { balance: 45, owned: 55, held: 10, totalUsed: 29 },
    scraping: { balance: 0, owned: 0 },
    enrichment: { balance: 25, owned: 25 },
  },
  friend: { balance: 10, totalUsed: 1 },
}
