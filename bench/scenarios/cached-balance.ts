import { execFileSync } from 'node:child_process'
import { CreditService } from 'creditkit'
import { memoryCache, memoryStore } from 'creditkit/adapters/memory'
import { redisCache } from 'creditkit/adapters/redis'
import { Redis } from 'ioredis'
import { startRedis } from '../server.js'
import { type Sample, toSample } from '../statistics.js'

export interface CachedBalance {
  inProcess: Sample
  /** Commands that Redis got for one cached balance, such as `get`; null where there is no Redis. */
  redisCommands: Record<string, number> | null
  redis: Sample | null
}

const CALLS = 200_000
const REDIS_CALLS = 2_000

export async function measureCachedBalance(): Promise<CachedBalance> {
  // Any store will do: it is not asked.
  const credits = new CreditService({ creditTypes: ['tokens'], store: memoryStore(), cache: memoryCache() })
  await credits.addCredits({ userId: 'u1', amount: 7, description: 'Seven' })
  const inProcess = await readBalances(credits, CALLS)
  await credits.close()
  return { inProcess, ...(hasRedis() ? await measureRedis() : { redisCommands: null, redis: null }) }
}

/** Each call by itself: the clock costs some 0.05 µs of what is measured. */
async function readBalances(credits: CreditService<'tokens'>, calls: number): Promise<Sample> {
  const latencies: number[] = []
  let start = 0
  for (let call = -calls / 4; call < calls; call += 1) {
    if (call === 0) start = performance.now()
    const before = performance.now()
    const balance = await credits.getBalance('u1')
    const after = performance.now()
    if (balance !== 7) throw new Error(`cached balance: ${balance}`)
    if (call >= 0) latencies.push(after - before)
  }
  return toSample(latencies, performance.now() - start)
}

async function measureRedis(): Promise<Omit<CachedBalance, 'inProcess'>> {
  const server = await startRedis()
  const client = new Redis(server.url)
  const credits = new CreditService({ creditTypes: ['tokens'], store: memoryStore(), cache: redisCache(client) })
  await credits.addCredits({ userId: 'u1', amount: 7, description: 'Seven' })
  await readBalances(credits, 4)
  await client.config('RESETSTAT')
  const redis = await readBalances(credits, REDIS_CALLS)
  const stats = await client.info('commandstats')
  await credits.close()
  client.disconnect()
  await server.stop()
  const calls = [...stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, name = '', count]) => [name, Number(count)])
  const ours = calls.filter(([name]) => !/^(config|info)/.test(String(name)))
  // A quarter of the calls warm up.
  const redisCommands = Object.fromEntries(
    ours.map(([name, count]) => [String(name), Number(count) / (REDIS_CALLS * 1.25)]),
  )
  return { redis, redisCommands }
}

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
