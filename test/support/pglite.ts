import { PGlite } from '@electric-sql/pglite'
import { pgliteStore } from '../../adapters/pglite.js'
import type { CreditStore } from '../../src/ports/store.js'

/** An empty cluster, made once per worker: making one is most of what starting PGlite takes. */
let image: Promise<Blob> | undefined

async function makeImage(): Promise<Blob> {
  const first = await PGlite.create()
  const dump = await first.dumpDataDir('none')
  await first.close()
  return dump
}

/** A PGlite in memory, as `PGlite.create()` makes it, in a fifth of the time. */
export async function createTestPGlite(): Promise<PGlite> {
  image ??= makeImage()
  return PGlite.create({ loadDataDir: await image })
}

/** A store on a PGlite of its own, which ends with it. */
export async function openTestPgliteStore(): Promise<CreditStore> {
  const client = await createTestPGlite()
  const store = pgliteStore({ client })
  const close = store.close.bind(store)
  store.close = async () => {
    await close()
    await client.close()
  }
  return store
}
