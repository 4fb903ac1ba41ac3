import { randomUUID } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { redisCache } from '../../adapters/redis.js'
import type { BalanceCache } from '../../src/ports/cache.js'
import { testCache } from '../conformance/cache.js'
import { clients } from './redis-clients.js'

// A busy machine must not turn a slow answer into a miss here; slowness has its own tests.
const patient = { timeoutMs: 5000 }
const options = { ttlSeconds: 2, ...patient }

for (const [name, openClient] of Object.entries(clients)) {
  testCache(`redisCache with ${name}`, async () => {
    const { client, close } = await openClient(inject('redisUrl'))
    return { cache: redisCache(client, options), close }
  })
}

// What one process remembers by itself must not be what keeps the promises: here Redis is the only memory.
testCache('redisCache, each call from another process', async () => {
  const redis = new Redis(inject('redisUrl'))
  const process = () => redisCache(redis, options)
  const cache: BalanceCache = {
    ttlSeconds: options.ttlSeconds,
    get: (key) => process().get(key),
    set: (key, value, ttlMs) => process().set(key, value, ttlMs),
    invalidate: (key, minVersion) => process().invalidate(key, minVersion),
  }
  return { cache, close: async () => redis.disconnect() }
})

describe('redisCache', () => {
  let redis: Redis
  beforeAll(() => {
    redis = new Redis(inject('redisUrl'))
  })
  afterAll(() => redis.disconnect())

  it('keeps balances for 60 seconds by default', async () => {
    const key = newKey()
    const cache = redisCache(redis, patient)
    expect(cache.ttlSeconds).toBe(60)
    await cache.set(key, { balance: 50, version: 7 }, 3_600_000)
    expect(await redis.pttl(key)).toBeGreaterThan(55_000)
    expect(await redis.pttl(key)).toBeLessThanOrEqual(60_000)
  })

  it('uses exactly the key it was given, and text that a person can read', async () => {
    const key = newKey()
    await redisCache(redis, patient).set(key, { balance: 50, version: 7 }, 60_000)
    expect(await redis.get(key)).toBe('{"version":7,"balance":50}')
    await redisCache(redis, { keyPrefix: 'shop:', ...patient }).invalidate(key, 8)
    expect(await redis.get(`shop:${key}`)).toBe('{"version":8,"balance":null}')
    expect(await redis.get(key)).toBe('{"version":7,"balance":50}')
  })

  it('never writes a key without an end', async () => {
    const prefix = newKey()
    const cache = redisCache(redis, { keyPrefix: prefix, ttlSeconds: 30, ...patient })
    await redis.set(`${prefix}persistent`, '{"version":9,"balance":1}')
    await redis.set(`${prefix}overwritten`, 'anything')
    await Promise.all([
      cache.set('plain', { balance: 1, version: 1 }, 30_000),
      cache.set('short', { balance: 1, version: 1 }, 5),
      cache.set('endless', { balance: 1, version: 1 }, Infinity),
      cache.set('overwritten', { balance: 1, version: 1 }, 30_000),
      cache.set('persistent', { balance: 1, version: 1 }, 30_000),
      cache.set('none', { balance: 1, version: 1 }, 0),
      cache.invalidate('unknown'),
      cache.invalidate('buried', 4),
    ])
    const keys = await redis.keys(`${prefix}*`)
    expect(keys).toHaveLength(8)
    for (const key of keys) {
      const life = await redis.pttl(key)
      expect(life).toBeGreaterThan(0)
      expect(life).toBeLessThanOrEqual(30_000)
    }
  })

  it('costs one GET for a read', async () => {
    const key = newKey()
    await redisCache(redis, patient).set(key, { balance: 50, version: 7 }, 60_000)
    const sent: string[] = []
    const counting = {
      status: 'ready',
      get: (name: string) => (sent.push('get'), redis.get(name)),
      eval: () => (sent.push('eval'), Promise.resolve(null)),
    }
    expect(await redisCache(counting, patient).get(key)).toEqual({ balance: 50, version: 7 })
    expect(sent).toEqual(['get'])
  })

  it('keeps no process alive, also while a write waits to be sent again', () => {
    const script = `
      const { redisCache } = await import('./adapters/redis.ts')
      const down = async () => { throw new Error('fetch failed') }
      const cache = redisCache({ get: down, eval: down })
      await cache.invalidate('key', 1)
      console.log(await cache.get('key'))`
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(run).toMatchObject({ status: 0, signal: null, stdout: 'null\n' })
  })
})

function newKey(): string {
  return `user_credits:${randomUUID()}:enrichment`
}
