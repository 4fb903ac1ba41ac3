import { createServer } from 'node:net'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { redisCache } from '../../adapters/redis.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { clients } from './redis-clients.js'

const timeoutMs = 600
/** Far more than a call that does not wait needs, far less than `timeoutMs` for each of many. */
const atOnceMs = 400

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function privateRedis(...settings: string[]): Promise<TestRedis> {
  const server = await startRedis(...settings)
  ends.push(() => server.kill())
  return server
}

/** A connection that looks at Redis past the cache. */
function look(server: TestRedis): Redis {
  const redis = new Redis(server.url)
  redis.on('error', () => undefined)
  ends.push(() => redis.disconnect())
  return redis
}

async function duration(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function at(version: number) {
  return { balance: version * 10, version }
}

const eventually = { timeout: 15_000, interval: 100 }

describe.each(Object.entries(clients))('a broken Redis, with %s', (_name, openClient) => {
  async function open(server: TestRedis, options = { timeoutMs }) {
    const { client, close } = await openClient(server.url)
    ends.push(close)
    return redisCache(client, options)
  }

  it('frozen: every call ends in time, later calls cost nothing, and a missed invalidation arrives afterwards', async () => {
    const server = await privateRedis()
    const cache = await open(server)
    const otherProcess = await open(server)
    await cache.set('key', at(7), 60_000)
    await otherProcess.set('other', at(1), 60_000)

    const pings = look(server)
    await pings.ping()
    server.freeze()
    const ping = pings.ping().then(() => 'answered')
    expect(await Promise.race([ping, new Promise((resolve) => setTimeout(resolve, 300, 'silence'))])).toBe('silence')

    const together = await duration(() => Promise.all(Array.from({ length: 50 }, () => cache.get('key'))))
    expect(together).toBeGreaterThan(timeoutMs - 20)
    expect(together).toBeLessThan(timeoutMs + atOnceMs)
    const later = await duration(async () => {
      for (let reads = 0; reads < 200; reads++) expect(await cache.get('key')).toBeNull()
      await cache.invalidate('key', 8)
      await cache.set('new', at(3), 60_000)
    })
    expect(later).toBeLessThan(atOnceMs)

    server.thaw()
    expect(await ping).toBe('answered')
    // In this process at once, in others as soon as the circuit closes.
    expect(await cache.get('key')).toBeNull()
    await vi.waitFor(async () => expect(await otherProcess.get('key')).toBeNull(), eventually)
    await otherProcess.set('key', at(7), 60_000)
    expect(await otherProcess.get('key')).toBeNull()
    await vi.waitFor(async () => {
      await cache.set('key', at(8), 60_000)
      expect(await cache.get('key')).toEqual(at(8))
      expect(await otherProcess.get('key')).toEqual(at(8))
    }, eventually)
  })

  it('killed and started again empty: misses meanwhile, and works again by itself', async () => {
    const server = await privateRedis()
    const cache = await open(server)
    await cache.set('key', at(7), 60_000)
    expect(await cache.get('key')).toEqual(at(7))

    await server.kill()
    expect(await isListening(server.port)).toBe(false)
    const calls = await duration(async () => {
      for (let reads = 0; reads < 200; reads++) expect(await cache.get('key')).toBeNull()
      await cache.set('key', at(8), 60_000)
      await cache.invalidate('key', 9)
    })
    expect(calls).toBeLessThan(timeoutMs + atOnceMs)

    const again = await privateRedis('--port', String(server.port))
    expect(await look(again).dbsize()).toBe(0)
    await vi.waitFor(async () => {
      await cache.set('key', at(9), 60_000)
      expect(await look(again).get('key')).toBe('{"version":9,"balance":90}')
      expect(await cache.get('key')).toEqual(at(9))
    }, eventually)
  })

  it('flushed: a miss, never an older balance than this process has seen', async () => {
    const server = await privateRedis()
    const cache = await open(server)
    const otherProcess = await open(server)
    await cache.set('key', at(8), 60_000)
    await look(server).flushall()
    expect(await look(server).dbsize()).toBe(0)
    expect(await cache.get('key')).toBeNull()

    // Redis has forgotten that 8 was there; this process has not.
    await otherProcess.set('key', at(7), 60_000)
    expect(await otherProcess.get('key')).toEqual(at(7))
    expect(await cache.get('key')).toBeNull()
    await cache.set('key', at(8), 60_000)
    expect(await otherProcess.get('key')).toEqual(at(8))
  })

  it('out of memory: reads go on, and an invalidated balance is gone all the same', async () => {
    const server = await privateRedis('--maxmemory-policy', 'noeviction')
    const cache = await open(server)
    const otherProcess = await open(server)
    await cache.set('key', at(7), 60_000)
    await cache.set('kept', at(7), 60_000)
    await look(server).config('SET', 'maxmemory', '1')
    await expect(look(server).set('any', 'thing')).rejects.toThrow('OOM')

    await cache.set('new', at(1), 60_000)
    await cache.invalidate('key', 8)
    expect(await cache.get('key')).toBeNull()
    expect(await otherProcess.get('key')).toBeNull()
    expect(await otherProcess.get('kept')).toEqual(at(7))
    expect(await cache.get('kept')).toEqual(at(7))

    await look(server).config('SET', 'maxmemory', '0')
    const stored = look(server)
    await vi.waitFor(async () => expect(await stored.get('key')).toBe('{"version":8,"balance":null}'), eventually)
    await cache.set('key', at(8), 60_000)
    expect(await cache.get('key')).toEqual(at(8))
  })

  it('evicting: right or a miss', async () => {
    const server = await privateRedis('--maxmemory', '2mb', '--maxmemory-policy', 'allkeys-lru')
    // Slow is not what this is about.
    const cache = await open(server, { timeoutMs: 5000 })
    const key = (user: number) => `user_credits:${user}-${'x'.repeat(200)}:calling`
    for (let first = 0; first < 6000; first += 100) {
      const users = Array.from({ length: 100 }, (_, index) => first + index)
      await Promise.all(users.map((user) => cache.set(key(user), at(user), 60_000)))
    }
    expect(await look(server).info('stats')).toMatch(/evicted_keys:[1-9]/)
    const found = await Promise.all(Array.from({ length: 100 }, (_, user) => cache.get(key(user * 60))))
    for (const [index, balance] of found.entries()) expect([null, at(index * 60)]).toContainEqual(balance)
    // Which of them a Redis keeps is its own business: it looks at a few keys and drops the oldest of those.
    const latest = await Promise.all(Array.from({ length: 100 }, (_, index) => cache.get(key(5900 + index))))
    for (const [index, balance] of latest.entries()) expect([null, at(5900 + index)]).toContainEqual(balance)
    expect(latest.filter((balance) => balance !== null).length).toBeGreaterThan(0)
  })

  it('a read-only replica: reads go on, writes are remembered and sent once it is a master', async () => {
    // By default a master waits 5 seconds for further replicas.
    const master = await privateRedis('--repl-diskless-sync-delay', '0')
    const replica = await privateRedis('--replicaof', '127.0.0.1', String(master.port))
    await redisCache(look(master)).set('key', at(7), 60_000)
    await redisCache(look(master)).set('kept', at(7), 60_000)
    const stored = look(replica)
    await vi.waitFor(async () => expect(await stored.get('kept')).not.toBeNull(), eventually)
    await expect(stored.set('any', 'thing')).rejects.toThrow('READONLY')

    const cache = await open(replica)
    expect(await cache.get('key')).toEqual(at(7))
    await cache.invalidate('key', 8)
    expect(await cache.get('key')).toBeNull()
    expect(await cache.get('kept')).toEqual(at(7))

    await stored.replicaof('NO', 'ONE')
    await vi.waitFor(async () => expect(await stored.get('key')).toBe('{"version":8,"balance":null}'), eventually)
  })
})

describe('a Redis that was never there', () => {
  it.each([
    ['ioredis', (url: string) => new Redis(url)],
    [
      'node-redis',
      (url: string) => {
        const client = createClient({ url })
        // `redisCache` listens to the client's errors; this promise is the host's own.
        client.connect().catch(() => undefined)
        return client
      },
    ],
  ])('costs %s users one wait, and is used when it comes', async (_name, openClient) => {
    const port = await unusedPort()
    expect(await isListening(port)).toBe(false)
    const client = openClient(`redis://127.0.0.1:${port}`)
    ends.push(() => ('disconnect' in client && client instanceof Redis ? client.disconnect() : client.destroy()))
    const cache = redisCache(client, { timeoutMs })
    expect(client.listenerCount('error')).toBe(1)

    expect(await duration(() => cache.get('key'))).toBeLessThan(timeoutMs + atOnceMs)
    const later = await duration(async () => {
      for (let reads = 0; reads < 200; reads++) expect(await cache.get('key')).toBeNull()
      await cache.invalidate('key', 8)
    })
    expect(later).toBeLessThan(atOnceMs)

    const server = await privateRedis('--port', String(port))
    const stored = look(server)
    await vi.waitFor(async () => expect(await stored.get('key')).toBe('{"version":8,"balance":null}'), eventually)
    await vi.waitFor(async () => {
      await cache.set('key', at(8), 60_000)
      expect(await cache.get('key')).toEqual(at(8))
    }, eventually)
  })

  it('does not pile up commands in the client', async () => {
    let calls = 0
    const never = () => (calls++, new Promise<never>(() => undefined))
    const cache = redisCache({ get: never, eval: never }, { timeoutMs: 20 })
    const reads = await duration(async () => {
      for (let read = 0; read < 10_000; read++) await cache.get(`key ${read}`)
    })
    expect(reads).toBeLessThan(900)
    expect(calls).toBe(1)
  })

  it('believes nothing for one time to live after more missed writes than it can remember', async () => {
    let isDown = true
    const entries = new Map<string, string>()
    const client = {
      get: async (key: string) => entries.get(key) ?? null,
      eval: async () => {
        if (isDown) throw new Error('READONLY You can not write now.')
        return 1
      },
    }
    const cache = redisCache(client, { ttlSeconds: 3 })
    entries.set('key 0', '{"version":7,"balance":70}')
    entries.set('never written', '{"version":7,"balance":70}')
    expect(await cache.get('key 0')).toEqual(at(7))
    for (let key = 0; key < 10_001; key++) await cache.invalidate(`key ${key}`, 8)
    isDown = false
    expect(await cache.get('key 0')).toBeNull()
    expect(await cache.get('never written')).toBeNull()
    await vi.waitFor(async () => expect(await cache.get('never written')).toEqual(at(7)), eventually)
  })
})

async function isListening(port: number): Promise<boolean> {
  const probe = new Redis({ port, lazyConnect: true, retryStrategy: () => null })
  probe.on('error', () => undefined)
  try {
    await probe.connect()
    return true
  } catch {
    return false
  } finally {
    probe.disconnect()
  }
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('unusedPort: a TCP server has a port')
  return address.port
}
