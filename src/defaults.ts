import { StoreNotConfiguredError } from './errors.js'
import type { BalanceCache } from './ports/cache.js'
import type { CreditStore } from './ports/store.js'
import { registered, unregister } from './registry.js'

/*
 * The composition root: the one place in `src` that knows adapters exist. They are loaded on first use, so importing
 * the package loads no driver.
 */

/**
 * The store of a service that was given none: `DATABASE_URL`, else PGlite in `CREDITS_DATA_DIR`, else PGlite in memory.
 * One per process, whoever asks, until the last of them has closed it.
 *
 * @throws {StoreNotConfiguredError} Neither variable is set and `NODE_ENV` is `production`.
 */
export async function openDefaultStore(): Promise<CreditStore> {
  // An empty variable counts as not set.
  const url = process.env.DATABASE_URL || null
  const dataDir = process.env.CREDITS_DATA_DIR || null
  const key = `store:${url ?? dataDir ?? 'memory'}`
  const shared = registered(key, () => ({ opening: openStore(url, dataDir), users: 0 }))
  shared.users += 1
  const leave = (): boolean => {
    shared.users -= 1
    if (shared.users === 0) unregister(key, shared)
    return shared.users === 0
  }
  try {
    const store = await shared.opening
    return {
      ...store,
      close: async () => {
        if (leave()) await store.close()
      },
    }
  } catch (error) {
    leave()
    throw error
  }
}

async function openStore(url: string | null, dataDir: string | null): Promise<CreditStore> {
  if (url !== null) {
    const { postgresStore } = await import('../adapters/postgres/index.js').catch(missingPackage)
    return postgresStore(url)
  }
  if (dataDir === null && process.env.NODE_ENV === 'production') {
    throw new StoreNotConfiguredError(
      'No store is configured: set DATABASE_URL (Postgres) or CREDITS_DATA_DIR (embedded), or pass `store` to ' +
        'CreditService. Credits kept in memory would be lost at the next restart, so production refuses it.',
    )
  }
  const { pgliteStore } = await import('../adapters/pglite.js')
  return pgliteStore(dataDir === null ? {} : { dataDir })
}

function missingPackage(cause: unknown): never {
  throw new StoreNotConfiguredError(
    'DATABASE_URL is set, but its driver is not installed: npm install drizzle-orm pg',
    { cause },
  )
}

/**
 * The cache of a service that was given none: 60 s in this process's memory for a store that only this process uses;
 * none for a shared one, since two processes would disagree. One per scope, so that two services never do.
 */
export async function openDefaultCache(store: CreditStore): Promise<BalanceCache | null> {
  const scope = store.memoryScope
  if (scope === null) return null
  const { memoryCache } = await import('../adapters/memory/cache.js')
  const caches = registered('caches', () => new WeakMap<object, BalanceCache>())
  const cache = caches.get(scope) ?? memoryCache()
  caches.set(scope, cache)
  return cache
}
