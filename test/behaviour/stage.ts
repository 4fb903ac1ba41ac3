import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, type CreditServiceOptions, type DefaultCreditType } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { type StoppedClock, stoppedClock } from '../conformance/credit-store/bench.js'
import { openStoreOn, viaPool } from '../stores/real-databases.js'
import { openTestPgliteStore } from '../support/pglite.js'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

/** What one test plays on: the store of its block, a clock of its own, and somebody nobody has heard of. */
export interface Stage {
  store: CreditStore
  /** Stands still at 2026-03-10 12:00 UTC until told to move. */
  clock: StoppedClock
  userId: string
  newUser: () => string
  /** The public API on the store and the clock. */
  credits: CreditService
  /** The same with options. */
  service: <const T extends string = DefaultCreditType>(options?: CreditServiceOptions<T>) => CreditService<T>
}

/** Opens a stage; every test opens one of its own. */
export type OpenStage = () => Stage

/** PGlite has the contract of the stores with `npm test`, and these with `npm run test:long`: its statements are Postgres's. */
const STORES: Record<string, () => Promise<CreditStore>> = {
  memory: async () => memoryStore(),
  ...(process.env.TEST_HISTORIES === undefined ? {} : { PGlite: openTestPgliteStore }),
  Postgres: () => openStoreOn(viaPool),
}

/** One store of each kind for all blocks of a file: PGlite takes seconds to start. */
const opened = new Map<string, Promise<CreditStore>>()

/** The next file that this worker runs opens its own: what is due on one store would be written by another file's tests. */
async function closeOpened(): Promise<void> {
  for (const store of opened.values()) await (await store).close()
  opened.clear()
}

async function openOnce(kind: string): Promise<CreditStore> {
  const open = STORES[kind]
  if (open === undefined) throw new Error(`onEveryStore: no store ${kind}`)
  const store = opened.get(kind) ?? open()
  opened.set(kind, store)
  // Opens it here and not within a test.
  await (await store).findTransaction(randomUUID())
  return store
}

/**
 * The same tests on memory and a real Postgres (eight connections), and on PGlite where there is time. The accounts of
 * other tests are on it, too: what looks at all of them (`runDue`, metrics) must be asked about one's own.
 */
export function onEveryStore(name: string, test: (open: OpenStage) => void): void {
  // Of the file that calls this: modules are loaded once per worker, so that what they say by themselves counts for one file.
  afterAll(closeOpened)
  describe.each(Object.keys(STORES))(`${name}, on %s`, (kind) => {
    let store: CreditStore | undefined
    beforeAll(async () => {
      store = await openOnce(kind)
    })

    test(() => {
      if (store === undefined) throw new Error(`onEveryStore: the store on ${kind} is not open`)
      return openStage(store)
    })
  })
}

/** A stage on a store of the test's own, e.g. one that fails on purpose. */
export function openStage(store: CreditStore, clock = stoppedClock()): Stage {
  const newUser = (): string => `user-${randomUUID()}`
  const service = <const T extends string = DefaultCreditType>(options: CreditServiceOptions<T> = {}) =>
    new CreditService<T>({ store, clock, cache: null, ...options })
  return { store, clock, newUser, userId: newUser(), service, credits: service() }
}

/** A user's ledger of one credit type as text, oldest first: `usage -40`. */
export async function ledgerOf(credits: CreditService, userId: string): Promise<string[]> {
  const rows = await credits.getTransactionHistory(userId, 'calling', 200)
  return rows.reverse().map(({ transactionType, amount }) => `${transactionType} ${amount}`)
}
