import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { redisCache } from '../../adapters/redis.js'
import { Clients } from './clients.js'
import { type CrashServer, startCrashServer } from './crash-server.js'
import {
  type FailingNetwork,
  NETWORK_FAULTS,
  type NetworkFault,
  startFailingNetwork,
  STORM,
} from './failing-network.js'
import { Load } from './load.js'
import {
  cacheFaults,
  fund,
  isLong,
  newPeople,
  openOutlook,
  type Outlook,
  type People,
  SEED,
  totalsText,
} from './scene.js'
import { seededRandom } from '../support/seeded-random.js'

/*
 * Everything at once: client processes on a network that fails, killed in the middle of their work, on a server that is
 * stopped at once under load. After each round, what every client wrote down is compared with the ledger.
 */

const ROUNDS = isLong ? 70 : 4
const AUDIT_EVERY = isLong ? 10 : 1
const NAMES = ['ann', 'bob', 'cid']
const CACHE_SECONDS = 2

/** Fewer of any of these, and the test has shown nothing. */
const WANTED: Record<NetworkFault, number> = isLong
  ? { replyDropped: 1_000, requestDropped: 200, cutInTransaction: 200, truncated: 200, blackhole: 50, delayed: 200 }
  : { replyDropped: 40, requestDropped: 8, cutInTransaction: 8, truncated: 10, blackhole: 2, delayed: 10 }

let server: CrashServer
let network: FailingNetwork
let outlook: Outlook
let clients: Clients
let people: People
let redis: Redis

beforeAll(async () => {
  server = await startCrashServer()
  network = await startFailingNetwork(server.url, SEED)
  redis = new Redis(inject('redisUrl'))
  const cache = { ttlSeconds: CACHE_SECONDS, keyPrefix: `faults-${SEED}-${process.pid}:` }
  outlook = await openOutlook(server.url, redisCache(redis, cache))
  people = newPeople()
  const place = { url: network.url }
  clients = new Clients({ ...people, place, cache: { ...cache, url: inject('redisUrl') }, callers: 6, seed: SEED })
  clients.prepare(NAMES.length)
})
afterAll(async () => {
  await clients.end()
  await outlook.close()
  redis.disconnect()
  await network.close()
  await server.end()
})

describe('clients that are killed, on a network that fails and a server that crashes,', () => {
  it(
    'lose nothing that was acknowledged, do nothing twice, spend nothing that is not there, and are told what is so',
    { timeout: isLong ? 1_800_000 : 90_000 },
    async () => {
      const random = seededRandom(SEED)
      const first = new Load({
        ...{ credits: outlook.credits, journalPath: clients.journalPath('first'), name: 'first', seed: SEED },
        ...{ ...people, callers: 0 },
      })
      await fund(first, people)
      first.close()
      await Promise.all(NAMES.map((name) => clients.start(name)))
      network.weather(STORM)

      let terminated = 0
      let totals
      for (let round = 1; round <= ROUNDS; round++) {
        for (const name of NAMES) {
          clients.prepare(1)
          await pause(random.between(200, 600))
          await clients.kill(name)
          await clients.start(name)
        }
        terminated += await outlook.terminate(0.4)
        await pause(random.between(200, 500))
        await server.crash()
        await pause(random.between(50, 300))
        await server.start()
        await pause(random.between(500, 1_000))
        // Where everything is slow, a round takes longer.
        const wanted = (round / ROUNDS) * WANTED.replyDropped
        for (let looks = 0; network.counts.replyDropped < wanted && looks < 100; looks++) await pause(100)
        if (round % AUDIT_EVERY !== 0) continue

        await clients.pause()
        const found = await outlook.audit(clients.journals(['first', ...NAMES]))
        const ofCache = await cacheFaults(outlook.credits, people, CACHE_SECONDS)
        expect([...found.faults, ...ofCache].slice(0, 20)).toEqual([])
        totals = found.totals
        clients.go()
      }
      if (totals === undefined) throw new Error('nothing was audited')

      const faults = Object.entries(network.counts).map(([fault, count]) => [
        NETWORK_FAULTS[fault as NetworkFault],
        count,
      ])
      const counted: Record<string, number> = {
        'clients killed': clients.kills,
        'servers stopped at once': server.crashes,
        'sessions ended by the server': terminated,
        ...(Object.fromEntries(faults) as Record<string, number>),
      }
      const crashes = clients.kills + server.crashes
      console.info(
        totalsText(`Faults, seed ${SEED}`, counted, totals) +
          `  over ${crashes} crashes and ${network.counts.replyDropped} dropped replies\n`,
      )
      expect(clients.kills).toBe(ROUNDS * NAMES.length)
      expect(server.crashes).toBe(ROUNDS)
      expect(terminated).toBeGreaterThanOrEqual(ROUNDS)
      for (const [fault, least] of Object.entries(WANTED))
        expect([fault, network.counts[fault as NetworkFault] >= least]).toEqual([fault, true])
      // Enough went well, and enough went wrong, that there was something to see.
      expect(totals.acknowledged).toBeGreaterThan(ROUNDS * 50)
      expect(totals.refused).toBeGreaterThan(ROUNDS)
      expect(totals.unavailable).toBeGreaterThan(ROUNDS)
      expect(totals.unknown).toBeGreaterThan(ROUNDS)
      expect(totals.unknownWritten).toBeGreaterThan(0)
      expect(totals.replayed).toBeGreaterThan(0)
      expect(totals.reads).toBeGreaterThan(ROUNDS)
    },
  )
})
