import { Redis } from 'ioredis'
import pg from 'pg'
import { memoryCache } from '../../adapters/memory.js'
import { pgliteStore } from '../../adapters/pglite.js'
import { postgresStore } from '../../adapters/postgres/index.js'
import { redisCache } from '../../adapters/redis.js'
import { CreditService } from '../../src/index.js'
import type { ClientJob } from './clients.js'
import { Load, LOAD_OPTIONS } from './load.js'

/*
 * One client: a process of its own, with a service and callers, that may be killed at any moment. Told what to do by
 * `clients.ts`; does nothing until it is told to go.
 */
let load: Load | null = null
let job: ClientJob | null = null

process.on('message', (message: ClientJob | 'go' | 'pause') => {
  if (message === 'go') {
    if (job === null) throw new Error('client-process: a job comes first')
    load ??= open(job)
    load.go()
  } else if (message === 'pause') {
    void load?.pause().then(() => process.send?.('paused'))
  } else {
    job = message
    process.send?.('ready')
  }
})

// Whoever has started us is gone.
process.once('disconnect', () => process.exit())

function open({ place, cache, ...options }: ClientJob): Load {
  const store = 'url' in place ? postgresStore(openPool(place.url)) : pgliteStore({ dataDir: place.directory })
  const client = cache === null ? null : new Redis(cache.url, { maxRetriesPerRequest: 1 })
  client?.on('error', () => undefined)
  const remembered = client === null || cache === null ? memoryCache() : redisCache(client, cache)
  return new Load({ ...options, credits: new CreditService({ ...LOAD_OPTIONS, store, cache: remembered }) })
}

/** As a host limits its own waits: shorter than ours are, so that a silent network ends soon. */
function openPool(connectionString: string): pg.Pool {
  return new pg.Pool({ connectionString, max: 6, query_timeout: 1_500, connectionTimeoutMillis: 2_000 })
}
