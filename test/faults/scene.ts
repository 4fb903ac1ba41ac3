import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { expect } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { BalanceCache } from '../../src/ports/cache.js'
import { CreditService } from '../../src/index.js'
import { type Audit, audit, type AuditTotals } from './audit.js'
import type { CreditType, Line } from './journal.js'
import { type Load, LOAD_OPTIONS } from './load.js'

/** Full size, with a seed of its own; see `.config/vitest.config.ts`. */
export const isLong = process.env['TEST_HISTORIES'] !== undefined

/** The same in CI, so that what failed there fails again. */
export const SEED = isLong ? Date.now() % 2 ** 31 : 20_261_123

/** Users that a load uses, with the credits they begin with. */
export interface People {
  users: string[]
  limited: string[]
}

export function newPeople(): People {
  const name = randomUUID().slice(0, 8)
  return {
    users: Array.from({ length: 6 }, (_, index) => `user-${name}-${index}`),
    limited: Array.from({ length: 2 }, (_, index) => `limited-${name}-${index}`),
  }
}

/** Their first credits: few enough that most of the load is about who gets the last ones. */
export async function fund(load: Load, { users, limited }: People): Promise<void> {
  const give = async (userId: string, creditType: CreditType, amount: number): Promise<void> => {
    const tag = `first-${userId}`
    const told = await load.ask({ operation: 'add', tag, key: null, userId, creditType, amount })
    expect(told.answer).toBe('acknowledged')
  }
  for (const userId of users) await give(userId, 'calling', 60)
  for (const userId of limited) await give(userId, 'scraping', 1_000)
}

/** A migrated database, looked at past whatever is broken on the way to it. */
export interface Outlook {
  credits: CreditService<CreditType>
  pool: pg.Pool
  /** Wait until nobody is at work in the database any more; and tell what all of it comes to. */
  audit(lines: readonly Line[]): Promise<Audit>
  /** How many sessions were ended. */
  terminate(part: number): Promise<number>
  close(): Promise<void>
}

export async function openOutlook(url: string, cache: BalanceCache | null = null): Promise<Outlook> {
  await migrate(url)
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  const credits = new CreditService({ ...LOAD_OPTIONS, store: postgresStore(pool), cache })
  const rows = async (sql: string) => (await pool.query<Record<string, unknown>>(sql)).rows
  return {
    credits,
    pool,
    audit: async (lines) => {
      await untilIdle(pool)
      return audit(lines, rows, credits)
    },
    terminate: async (part) => {
      const { rowCount } = await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and random() < $1`,
        [part],
      )
      return rowCount ?? 0
    },
    close: async () => {
      await credits.close()
      await pool.end()
    },
  }
}

/** A client whose end nobody has heard may have left a statement behind that goes on. */
async function untilIdle(pool: pg.Pool): Promise<void> {
  for (let looks = 0; looks < 400; looks++) {
    const { rowCount } = await pool.query(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
         and backend_type = 'client backend' and state <> 'idle'`,
    )
    if (rowCount === 0) return
    await pause(25)
  }
  throw new Error('somebody is still at work in the database')
}

/** Balances that a cache shows, and that are not those of the database: none, or none any more once their time is over. */
export async function cacheFaults(
  credits: CreditService<CreditType>,
  { users, limited }: People,
  ttlSeconds: number,
): Promise<string[]> {
  const wrong = async (): Promise<string[]> => {
    const found: string[] = []
    for (const userId of [...users, ...limited]) {
      const creditType = limited.includes(userId) ? 'scraping' : 'calling'
      const shown = await credits.getBalance(userId, creditType)
      const { balance } = await credits.checkBalance(userId, creditType, 1)
      if (shown !== balance) found.push(`cache: ${userId} is shown ${shown} instead of ${balance}`)
    }
    return found
  }
  const first = await wrong()
  if (first.length === 0) return []
  // Of a killed client's last write, the cache may not have heard.
  await pause(ttlSeconds * 1000 + 100)
  return wrong()
}

/** What was measured, for people to read. */
export function totalsText(title: string, counted: Record<string, number>, totals: AuditTotals): string {
  const lines = Object.entries({
    ...counted,
    'calls, with those asked again': totals.asked,
    acknowledged: totals.acknowledged,
    'refused by name': totals.refused,
    'called unavailable': totals.unavailable,
    'of unknown outcome, or never answered': totals.unknown,
    'of those, written': totals.unknownWritten,
    'answered with what an earlier try had written': totals.replayed,
    'balances read through the cache after a write': totals.reads,
  }).map(([what, count]) => `  ${String(count).padStart(8)}  ${what}`)
  const { lost, doubled, overspent } = totals
  const verdict = `  ${lost} lost acknowledged writes, ${doubled} double effects, ${overspent} overspends`
  return `\n${title}\n${lines.join('\n')}\n${verdict}\n`
}
