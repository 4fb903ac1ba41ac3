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
 * One per process, whoever asks. Ending it makes the next one who asks open it anew.
 *
 * @throws {StoreNotConfiguredError} Neither variable is set and `NODE_ENV` is `production`.
 */
export async function openDefaultStore(): Promise<CreditStore> {
  // An empty variable counts as not set.
  const url = process.env.DATABASE_URL || null
  const dataDir = process.env.CREDITS_DATA_DIR || null
  const key = `store:${url ?? dataDir ?? 'memory'}`
  const opening = registered(key, () => openStore(url, dataDir))
  try {
    const store = await opening
    const close = store.close.bind(store)
    store.close = async () => {
      unregister(key, opening)
      await close()
    }
    return store
  } catch (error) {
    unregister(key, opening)
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
 * none for a shared one, since two processes would disagree.
 */
export async function openDefaultCache(store: CreditStore): Promise<BalanceCache | null> {
  return store.shared ? null : (await import('../adapters/memory-cache.js')).memoryCache()
}
