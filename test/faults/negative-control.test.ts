import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { postgresStore } from '../../adapters/postgres/index.js'
import { Clients } from './clients.js'
import { type Carelessness, carelessPool, withoutLocks } from './careless-pool.js'
import { startCrashServer } from './crash-server.js'
import { type FailingNetwork, startFailingNetwork } from './failing-network.js'
import { lockAccounts } from '../support/account-lock.js'
import type { Audit } from './audit.js'
import { Load } from './load.js'
import { fund, newPeople, openOutlook, SEED } from './scene.js'
import { openStage, type Stage } from './stage.js'

/*
 * Does the audit see anything? The same load, and the same audit, with one safeguard taken away. The constraints that would
 * catch it after all are taken away for everybody.
 */

let stage: Stage
let network: FailingNetwork

beforeEach(async () => {
  stage = await openStage()
  network = await startFailingNetwork(stage.url, SEED)
  for (const [table, constraint] of [
    ['credit_transactions', 'credit_transactions_pkey'],
    ['credit_transactions', 'credit_transactions_id_key'],
    ['user_credits', 'user_credits_owned_check'],
    ['user_credits', 'user_credits_held_check'],
    ['user_credits', 'user_credits_head_check'],
    ['credit_grants', 'credit_grants_held_check'],
    ['credit_grants', 'credit_grants_remaining_check'],
  ])
    await stage.outlook.pool.query(`alter table creditkit.${table} drop constraint ${constraint}`)
})
afterEach(async () => {
  await stage.close()
  await network.close()
})

const careless = (carelessness: Carelessness) => ({
  url: network.url,
  store: (pool: pg.Pool) => postgresStore(carelessPool(pool, carelessness)),
})

/** What was found wrong, by its kind. */
function kinds({ faults }: Audit): string[] {
  return [...new Set(faults.map((fault) => fault.split(':')[0] ?? ''))]
}

describe('the audit finds nothing wrong', () => {
  it('of the real store, without those constraints and on a network that loses every third reply', async () => {
    network.weather({ replyDropped: 0.3 })
    const { load } = stage.client({ url: network.url })
    await load.during(1_000, 300)
    const { faults, totals } = await stage.audit()
    expect(faults).toEqual([])
    expect(network.counts.replyDropped).toBeGreaterThan(20)
    expect(totals.acknowledged).toBeGreaterThan(50)
  })
})

describe('the audit sees', () => {
  it('a lost reply that is taken for a request that was never sent', async () => {
    // As if no connection had been made.
    const misread = (error: unknown): unknown =>
      error instanceof Error && error.message.startsWith('Connection terminated')
        ? Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' })
        : error
    network.weather({ replyDropped: 0.3 })
    const { load } = stage.client(careless({ misread }))
    await load.during(1_000, 300)
    const found = await stage.audit()
    expect(kinds(found)).toContain('written')
    expect(found.totals.doubled).toBeGreaterThan(0)
  })

  it('a retry after a lost reply that does not look for the row that it may have written', async () => {
    const rewrite = (text: string): string => text.replaceAll(/where t\.id = [^)]*\)::uuid and /g, 'where false and ')
    network.weather({ replyDropped: 0.3 })
    const { load } = stage.client(careless({ rewrite }))
    await load.during(1_000, 300)
    expect(kinds(await stage.audit())).toContain('doubled')
  })

  it('a store without its locks', async () => {
    const { users } = stage.people
    const [userId = ''] = users
    const store = (pool: pg.Pool) => postgresStore(carelessPool(pool, { rewrite: withoutLocks }), { fastPath: false })
    const { load, credits } = stage.client({ store, batching: false, pool: { max: 8 } })
    const { balance } = await credits.checkBalance(userId, 'calling', 1)
    // Held up until several have decided, none of whom has seen another one's write.
    const lock = await lockAccounts(stage.url, userId)
    const calls = Array.from({ length: 6 }, (_, index) =>
      load.ask({
        ...{ operation: 'deduct', tag: `race-${index}`, key: null, creditType: 'calling' },
        ...{ userId, amount: Math.max(1, balance) },
      }),
    )
    await lock.awaited(4)
    await lock.release()
    await Promise.all(calls)
    expect(kinds(await stage.audit())).toEqual(expect.arrayContaining(['overspent', 'chain', 'verify']))
  })

  it('a server that acknowledges what it has not written', { timeout: 60_000 }, async () => {
    const server = await startCrashServer('synchronous_commit=off', 'wal_writer_delay=10s')
    const outlook = await openOutlook(server.url)
    const people = newPeople()
    const clients = new Clients({ ...people, place: { url: server.url }, cache: null, callers: 4, seed: SEED })
    const first = new Load({
      ...{ credits: outlook.credits, journalPath: clients.journalPath('first'), name: 'first', seed: SEED },
      ...{ ...people, callers: 0 },
    })
    await fund(first, people)
    first.close()
    await outlook.pool.query('checkpoint')
    await clients.start('ann')
    await pause(1_000)
    await server.crash()
    await server.start()
    await clients.kill('ann')
    const found = await outlook.audit(clients.journals(['first', 'ann']))
    await clients.end()
    await outlook.close()
    await server.end()
    expect(kinds(found)).toContain('lost')
    expect(found.totals.lost).toBeGreaterThan(0)
  })
})
