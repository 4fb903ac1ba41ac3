import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { BalanceCache } from '../../src/ports/cache.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestDatabase } from '../support/postgres.js'
import type { Audit } from './audit.js'
import { type CreditType, type Line, readJournal } from './journal.js'
import { Load, LOAD_OPTIONS } from './load.js'
import { fund, newPeople, openOutlook, type Outlook, type People, SEED } from './scene.js'

export interface ClientOptions {
  /** How the database is reached. Default: as it is. */
  url?: string
  pool?: pg.PoolConfig
  /** Made from the client's pool; default: as hosts make it. */
  store?: (pool: pg.Pool) => CreditStore
  cache?: BalanceCache | null
  callers?: number
  batching?: boolean
}

/** A database of its own in which clients of this process are at work; see `clients.ts` for processes. */
export interface Stage {
  url: string
  people: People
  outlook: Outlook
  /** A load with a pool, a service and a journal of its own. */
  client(options?: ClientOptions): { load: Load; pool: pg.Pool; credits: CreditService<CreditType> }
  audit(): Promise<Audit>
  close(): Promise<void>
}

export async function openStage(cache: BalanceCache | null = null): Promise<Stage> {
  const database = await createTestDatabase()
  const outlook = await openOutlook(database.url, cache)
  const directory = mkdtempSync(join(tmpdir(), 'creditkit-faults-'))
  const people = newPeople()
  const journals: string[] = []
  const ends: (() => Promise<unknown>)[] = []
  const openLoad = (credits: CreditService<CreditType>, callers: number): Load => {
    const name = `client${journals.length}`
    const journalPath = join(directory, `${name}.jsonl`)
    journals.push(journalPath)
    return new Load({ ...people, credits, journalPath, name, seed: SEED + journals.length, callers })
  }
  const first = openLoad(outlook.credits, 0)
  await fund(first, people)
  first.close()
  return {
    url: database.url,
    people,
    outlook,
    client: ({ url = database.url, pool: config = {}, store = postgresStore, callers = 8, ...service } = {}) => {
      const pool = new pg.Pool({ connectionString: url, max: 6, ...config })
      const credits = new CreditService({ ...LOAD_OPTIONS, cache: null, ...service, store: store(pool) })
      const load = openLoad(credits, callers)
      ends.push(async () => {
        // Where a test has failed, it still goes on.
        await load.pause()
        load.close()
        await credits.close()
        await pool.end()
      })
      return { load, pool, credits }
    },
    audit: () => outlook.audit(journals.flatMap((path): Line[] => readJournal(path))),
    close: async () => {
      await Promise.all(ends.map((end) => end()))
      await outlook.close()
      rmSync(directory, { recursive: true, force: true })
      await database.drop()
    },
  }
}
