import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { redisCache } from '../../adapters/redis.js'
import { clients, type OpenedClient } from './redis-clients.js'

const unreadable: Record<string, string> = {
  'a bare number': '999999999',
  'a negative number': '-5',
  NaN: 'NaN',
  'an empty string': '',
  'broken JSON': '{"version":7,"balance":',
  null: 'null',
  'an array': '[7,50]',
  'a string': '"50"',
  'a version that is text': '{"version":"7","balance":50}',
  'a negative version': '{"version":-1,"balance":50}',
  'a fraction': '{"version":7,"balance":0.5}',
  'a balance beyond safe integers': '{"version":7,"balance":9007199254740993}',
  'a version beyond safe integers': '{"version":99999999999999999999,"balance":50}',
  'an exponent': '{"version":1e300,"balance":1e300}',
  'an entry without a balance': '{"version":7}',
  'an end that is no number': '{"version":7,"balance":50,"until":"soon"}',
  'a megabyte': `{"version":7,"balance":50,"more":"${'x'.repeat(1_000_000)}"}`,
  'bytes that are no text': '\u0000\uFFFF\u0001',
}

describe.each(Object.entries(clients))('what others left under our keys, with %s', (_name, openClient) => {
  let redis: Redis
  let opened: OpenedClient
  beforeAll(async () => {
    redis = new Redis(inject('redisUrl'))
    opened = await openClient(inject('redisUrl'))
  })
  afterAll(async () => {
    redis.disconnect()
    await opened.close()
  })

  it.each(Object.entries(unreadable))('%s is a miss, and is overwritten', async (_case, value) => {
    const [key, other] = [`poison:${randomUUID()}`, `poison:${randomUUID()}`]
    await redis.mset(key, value, other, value)
    const cache = redisCache(opened.client, { timeoutMs: 5000 })

    expect(await cache.get(key)).toBeNull()
    await cache.set(key, { balance: 10, version: 1 }, 60_000)
    expect(await cache.get(key)).toEqual({ balance: 10, version: 1 })

    await cache.invalidate(other, 2)
    expect(await redis.get(other)).toBe('{"version":2,"balance":null}')
    expect(await redis.pttl(key)).toBeGreaterThan(0)
  })

  it.each(['list', 'hash', 'set'])('a %s is a miss, and is overwritten', async (type) => {
    const [key, other] = [`poison:${randomUUID()}`, `poison:${randomUUID()}`]
    for (const name of [key, other]) {
      if (type === 'list') await redis.lpush(name, '50')
      else if (type === 'hash') await redis.hset(name, 'balance', '50')
      else await redis.sadd(name, '50')
      expect(await redis.type(name)).toBe(type)
    }
    const cache = redisCache(opened.client, { timeoutMs: 5000 })

    expect(await cache.get(key)).toBeNull()
    await cache.set(key, { balance: 10, version: 1 }, 60_000)
    expect(await cache.get(key)).toEqual({ balance: 10, version: 1 })
    await cache.invalidate(other, 2)
    expect(await redis.get(other)).toBe('{"version":2,"balance":null}')
  })
})
