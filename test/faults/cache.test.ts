import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { redisCache } from '../../adapters/redis.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { cacheFaults, isLong, SEED } from './scene.js'
import { seededRandom } from '../support/seeded-random.js'
import { openStage, type Stage } from './stage.js'

/*
 * A Redis that breaks in every way, behind services under load. What a cache of one call does then is in
 * `test/cache/redis-faults.test.ts`; here it is that nothing depends on it.
 */

const ROUNDS = isLong ? 20 : 2
const TTL_SECONDS = 2

let server: TestRedis
let admin: Redis
let stage: Stage
let redises: Redis[]

beforeEach(async () => {
  server = await startRedis()
  redises = []
  admin = connect(null)
  stage = await openStage(redisCache(connect(), { ttlSeconds: TTL_SECONDS }))
})
afterEach(async () => {
  await stage.close()
  for (const redis of redises) redis.disconnect()
  await server.kill()
})

/** `retries`: how often a command is sent again; null: until it has an answer. */
function connect(retries: number | null = 1): Redis {
  const redis = new Redis(server.url, { maxRetriesPerRequest: retries })
  redis.on('error', () => undefined)
  redises.push(redis)
  return redis
}

/** All that a Redis may do to us; how often something was really there to be broken. */
const FAULTS = {
  flushed: async () => {
    const keys = await admin.dbsize()
    await admin.flushall()
    return keys
  },
  poisoned: async () => overwrite((key) => admin.set(key, '{"version":'.padEnd(20, 'x'))),
  'of the wrong type': async () =>
    // At once, or somebody writes in between.
    overwrite((key) => admin.multi().del(key).lpush(key, '50').exec()),
  'out of memory': async () => {
    await admin.config('SET', 'maxmemory', '1')
    await pause(200)
    await admin.config('SET', 'maxmemory', '0')
    return 1
  },
  frozen: async () => {
    server.freeze()
    await pause(400)
    server.thaw()
    return 1
  },
  'killed, and started again empty': async () => {
    await server.kill()
    await pause(200)
    server = await startRedis('--port', String(server.port))
    return 1
  },
} as const

async function overwrite(spoil: (key: string) => Promise<unknown>): Promise<number> {
  const keys = await admin.keys('user_credits:*')
  for (const key of keys) await spoil(key)
  return keys.length
}

describe('services under load, with a Redis that is', () => {
  it(
    `${Object.keys(FAULTS).join(', ')}, decide as ever, and show no balance that is older than a write they have made`,
    { timeout: isLong ? 300_000 : 40_000 },
    async () => {
      const caches = [0, 1].map(() => redisCache(connect(), { ttlSeconds: TTL_SECONDS, timeoutMs: 50 }))
      const loads = caches.map((cache) => stage.client({ cache, callers: 4 }).load)
      for (const load of loads) load.go()
      const random = seededRandom(SEED)
      const counts = new Map<string, number>()
      for (let round = 0; round < ROUNDS; round++)
        for (const [name, fault] of Object.entries(FAULTS)) {
          await pause(random.between(100, 300))
          counts.set(name, (counts.get(name) ?? 0) + (await fault()))
        }
      await Promise.all(loads.map((load) => load.pause()))
      const { faults, totals } = await stage.audit()
      const ofCache = await cacheFaults(stage.outlook.credits, stage.people, TTL_SECONDS)
      expect([...faults, ...ofCache].slice(0, 20)).toEqual([])
      for (const name of Object.keys(FAULTS)) expect([name, (counts.get(name) ?? 0) >= ROUNDS]).toEqual([name, true])
      expect(totals.reads).toBeGreaterThan(20)
      // The database was there all the time.
      expect({ unavailable: totals.unavailable, unknown: totals.unknown }).toEqual({ unavailable: 0, unknown: 0 })
    },
  )

  it('lying in our own words is believed by nobody who spends', async () => {
    const { credits, load } = stage.client({ cache: redisCache(connect(), { ttlSeconds: TTL_SECONDS }) })
    const userId = `rich-${randomUUID()}`
    const lie = { version: 1_000, balance: 999_999 }
    await admin.set(`user_credits:${userId}:calling`, JSON.stringify(lie), 'PX', 2_000)
    expect(await credits.getBalance(userId, 'calling')).toBe(999_999)
    const call = { key: null, userId, creditType: 'calling', amount: 5 } as const
    for (const operation of ['deduct', 'hold'] as const)
      expect(await load.ask({ ...call, operation, tag: `rich-${operation}` })).toMatchObject({
        answer: 'refused',
        code: 'INSUFFICIENT_CREDITS',
      })
    expect((await credits.checkBalance(userId, 'calling', 5)).hasSufficient).toBe(false)
    expect((await stage.audit()).faults).toEqual([])
  })
})
