import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockAccounts } from '../support/account-lock.js'
import type { AuditTotals } from './audit.js'
import { isLong } from './scene.js'
import { openStage, type Stage } from './stage.js'

/*
 * A server that works, and not as one would like: its settings, its locks, its roles, its constraints. The load of the
 * crash test in this process, and the same audit after it.
 */

let stage: Stage

beforeEach(async () => {
  stage = await openStage()
})
afterEach(async () => {
  await stage.close()
})

const MS = isLong ? 20_000 : 1_000
/** Where everything is slow, a load goes on until it has been told so often. */
const ANSWERS = 200
const TIMEOUT = { timeout: isLong ? 120_000 : 30_000 }

/** What came of it all, when nothing went wrong. `unnamed`: so many calls may fail by an error without a name. */
async function soundTotals({ unnamed = 0 } = {}): Promise<AuditTotals> {
  const { faults, totals } = await stage.audit()
  const [known, others] = [faults.filter(isUnnamed), faults.filter((fault) => !isUnnamed(fault))]
  expect(others.slice(0, 20)).toEqual([])
  expect(known).toHaveLength(unnamed)
  expect(totals.acknowledged).toBeGreaterThan(50)
  return totals
}

function isUnnamed(fault: string): boolean {
  return fault.startsWith('unnamed: ')
}

async function set(setting: string): Promise<void> {
  const { pathname } = new URL(stage.url)
  await stage.outlook.pool.query(`alter database ${pathname.slice(1)} set ${setting}`)
}

describe.each(['serializable', 'repeatable read'])('on a database whose default is %s', (level) => {
  it('everything is decided as ever, and nobody hears of conflicts', TIMEOUT, async () => {
    await set(`default_transaction_isolation = '${level}'`)
    const clients = [stage.client(), stage.client()]
    for (const { pool } of clients)
      expect((await pool.query('show transaction_isolation')).rows).toEqual([{ transaction_isolation: level }])
    await Promise.all(clients.map(({ load }) => load.during(MS, ANSWERS)))
    const { unavailable, unknown } = await soundTotals()
    expect({ unavailable, unknown }).toEqual({ unavailable: 0, unknown: 0 })
  })
})

describe('a host that locks accounts', () => {
  it(
    'for a moment delays their calls, and for long makes them unavailable, which surely did nothing',
    TIMEOUT,
    async () => {
      const [held = '', ...others] = stage.people.users
      const { load } = stage.client({ pool: { max: 12 } })
      load.go()
      for (const userId of others.slice(0, 3)) {
        const lock = await lockAccounts(stage.url, userId)
        await lock.awaited(1)
        await pause(200)
        await lock.release()
      }
      const lock = await lockAccounts(stage.url, held)
      // Longer than a lock is waited for.
      await pause(5_500)
      await lock.release()
      await pause(MS / 3)
      await load.pause()
      const { unavailable, unknown } = await soundTotals()
      expect(unavailable).toBeGreaterThan(0)
      expect(unknown).toBe(0)
    },
  )
})

describe('a limit on the time of statements', () => {
  it('ends those that take too long as unavailable, and undoes them', TIMEOUT, async () => {
    await stage.outlook.pool.query(
      `create function slow() returns trigger language plpgsql as
         $$ begin if random() < 0.1 then perform pg_sleep(0.5); end if; return new; end $$;
       create trigger slow before insert on creditkit.credit_transactions for each row execute function slow()`,
    )
    await set(`statement_timeout = '200ms'`)
    const { load } = stage.client()
    await load.during(MS, 2 * ANSWERS)
    const { unavailable, unknown } = await soundTotals()
    expect(unavailable).toBeGreaterThan(2)
    expect(unknown).toBe(0)
  })
})

describe('a COMMIT that fails', () => {
  it('leaves nothing: neither of one call nor of a batch', TIMEOUT, async () => {
    // A host's own constraint, which is looked at when all is done.
    await stage.outlook.pool.query(
      `create sequence refusals;
       create function refuse() returns trigger language plpgsql as
         $$ begin if random() < 0.1 then perform nextval('refusals'); raise exception 'refused'; end if; return null; end $$;
       create constraint trigger refuse after insert on creditkit.credit_transactions
         deferrable initially deferred for each row execute function refuse()`,
    )
    const { load } = stage.client()
    await load.during(MS, ANSWERS)
    const { rows } = await stage.outlook.pool.query<{ refusals: string }>(
      'select last_value::text as refusals from refusals',
    )
    expect(Number(rows[0]?.refusals)).toBeGreaterThan(5)
    const { faults } = await stage.audit()
    const unnamed = faults.filter(isUnnamed)
    // The host's error is no error of ours. It is told without a word of the host's.
    expect(unnamed.length).toBeGreaterThan(5)
    for (const fault of unnamed) expect(fault).toMatch(/Error: Database error P0001$/)
    await soundTotals({ unnamed: unnamed.length })
  })
})

describe('a pool that is too small', () => {
  it('serves a hundred callers on two connections', TIMEOUT, async () => {
    const { load } = stage.client({ pool: { max: 2 }, callers: 100 })
    await load.during(MS, ANSWERS)
    const { unavailable, unknown } = await soundTotals()
    expect({ unavailable, unknown }).toEqual({ unavailable: 0, unknown: 0 })
  })

  it('that its host has used up makes calls unavailable, and serves again when it is given back', TIMEOUT, async () => {
    const { load, pool } = stage.client({ pool: { max: 2, connectionTimeoutMillis: 200 } })
    await load.during(MS / 3, 20)
    const before = (await soundTotalsSoFar()).acknowledged
    const taken = [await pool.connect(), await pool.connect()]
    await load.during(1_000)
    const during = await soundTotalsSoFar()
    expect(during.acknowledged).toBe(before)
    expect(during.unavailable).toBeGreaterThan(5)
    for (const client of taken) client.release()
    await load.during(MS, ANSWERS)
    const { acknowledged, unknown } = await soundTotals()
    expect(acknowledged).toBeGreaterThan(before)
    expect(unknown).toBe(0)
  })
})

async function soundTotalsSoFar(): Promise<AuditTotals> {
  const { faults, totals } = await stage.audit()
  expect(faults.slice(0, 20)).toEqual([])
  return totals
}

describe('a failover', () => {
  it(
    'to a server that is read-only makes writes unavailable, and those that are on their way unknown at most',
    TIMEOUT,
    async () => {
      const clients = [stage.client(), stage.client({ pool: { max: 3 } })]
      for (const { load } of clients) load.go()
      // Ours stays as it is, to turn it back.
      const admin = new pg.Client({ connectionString: stage.url })
      await admin.connect()
      let ended = 0
      for (let failovers = 0; failovers < (isLong ? 10 : 2); failovers++) {
        await pause(MS / 3)
        for (const readOnly of ['on', 'off']) {
          await admin.query(
            `alter database ${new URL(stage.url).pathname.slice(1)} set default_transaction_read_only = ${readOnly}`,
          )
          // Sessions keep what they began with.
          const { rowCount } = await admin.query(
            'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
          )
          ended += rowCount ?? 0
          await pause(400)
        }
      }
      await admin.end()
      await pause(MS / 3)
      await Promise.all(clients.map(({ load }) => load.pause()))
      expect(ended).toBeGreaterThan(8)
      const { unavailable } = await soundTotals()
      expect(unavailable).toBeGreaterThan(5)
    },
  )
})
