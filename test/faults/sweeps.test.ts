import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { RACE_OPTIONS } from '../races/racers.js'
import { type CrashServer, startCrashServer } from './crash-server.js'
import { isLong } from './scene.js'

const USERS = isLong ? 600 : 120
const KILLS = isLong ? 24 : 6
const CRASH_AT = [2, 4, 12, 20]

let server: CrashServer
let pool: pg.Pool
let credits: CreditService

beforeAll(async () => {
  server = await startCrashServer()
  await migrate(server.url)
  pool = new pg.Pool({ connectionString: server.url })
  pool.on('error', () => undefined)
  credits = new CreditService({ ...RACE_OPTIONS, store: postgresStore(pool) })
})
afterAll(async () => {
  await credits.close()
  await pool.end()
  await server.end()
})

describe('sweepers that are killed in the middle of it, on a server that crashes,', () => {
  it('end every grant once, every hold once, and grant every period once', { timeout: 300_000 }, async () => {
    const users = Array.from({ length: USERS }, () => `swept-${randomUUID()}`)
    const dueAt = Date.now() + (isLong ? 30_000 : 8_000)
    await Promise.all(users.map((userId) => prepareAccount(userId, dueAt)))
    expect(Date.now()).toBeLessThan(dueAt)
    // Slow enough to be met in the middle.
    await pool.query(`create function creditkit.slowly() returns trigger language plpgsql as
      $$ begin perform pg_sleep(0.03); return new; end $$`)
    await pool.query(`create trigger slowly before insert on creditkit.credit_transactions
      for each row when (new.transaction_type <> 'usage') execute function creditkit.slowly()`)
    const spares = Array.from({ length: KILLS + 3 }, startSweeper)
    const sweepers = await Promise.all(spares)
    await pause(Math.max(0, dueAt + 1_100 - Date.now()))

    const working = sweepers.splice(0, 3)
    for (const sweeper of working) sweeper.send(server.url)
    const leftAtKills: number[] = []
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const before = await dueAccounts()
      for (let looks = 0; (await dueAccounts()) >= before && looks < 200; looks += 1) await pause(10)
      leftAtKills.push(await dueAccounts())
      await end(working.shift())
      const next = sweepers.shift()
      next?.send(server.url)
      if (next !== undefined) working.push(next)
      if (CRASH_AT.includes(kill)) {
        await server.crash()
        await server.start()
      }
    }
    for (let looks = 0; (await dueAccounts()) > 0 && looks < 2_000; looks += 1) await pause(50)
    await Promise.all(working.map(end))

    // Everybody was killed with work behind them and before them.
    expect(leftAtKills).toHaveLength(KILLS)
    expect(leftAtKills.every((left) => left > 0 && left < USERS)).toBe(true)
    expect(new Set(leftAtKills).size).toBe(KILLS)
    expect(server.crashes).toBe(CRASH_AT.filter((kill) => kill <= KILLS).length)
    const { rows } = await pool.query<{ user_id: string; expired: number; periods: number; rows: number }>(
      `select user_id, sum(amount) filter (where transaction_type = 'expiration')::int as expired,
         count(*) filter (where reference_type = 'plan')::int as periods,
         count(*) filter (where transaction_type = 'expiration' or reference_type = 'plan')::int as rows
       from creditkit.credit_transactions group by user_id order by user_id`,
    )
    expect(rows).toEqual([...users].sort().map((user_id) => ({ user_id, expired: -7, periods: 1, rows: 2 })))
    for (const userId of users) {
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 25, owned: 25, held: 0 })
      expect((await credits.verify({ userId })).violations).toEqual([])
    }
  })
})

/** 7 credits that end, a hold whose time runs out, and a plan whose first period begins: all at one moment. */
async function prepareAccount(userId: string, dueAt: number): Promise<void> {
  const account = { userId, creditType: 'calling', description: 'Due' } as const
  await credits.addCredits({ ...account, amount: 20 })
  const expiresInSeconds = Math.max(1, Math.round((dueAt - Date.now()) / 1000))
  await credits.holdCredits({ ...account, amount: 10, expiresInSeconds })
  await credits.addCredits({ ...account, amount: 7, expiresAt: new Date(dueAt) })
  await credits.startPlan({ userId, plan: 'daily', anchor: new Date(dueAt) })
}

async function dueAccounts(): Promise<number> {
  const { rows } = await pool.query<{ due: number }>(
    'select count(*)::int as due from creditkit.user_credits where next_due_at <= now()',
  )
  return rows[0]?.due ?? 0
}

async function startSweeper(): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('./sweeper-process.ts', import.meta.url))
  const child = fork(path, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await once(child, 'spawn')
  return child
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
