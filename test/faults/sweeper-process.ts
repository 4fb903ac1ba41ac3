import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { RACE_OPTIONS } from '../races/racers.js'

/* Told where, sweeps again and again, whatever comes of it, until somebody kills it. */
process.once('message', (url: string) => void sweep(url))
process.once('disconnect', () => process.exit())

async function sweep(connectionString: string): Promise<never> {
  const pool = new pg.Pool({ connectionString, max: 4, query_timeout: 1_500, connectionTimeoutMillis: 2_000 })
  const nothing = () => undefined
  // What can't be reached now is what this is about.
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  const credits = new CreditService({ ...RACE_OPTIONS, store: postgresStore(pool), logger })
  for (;;) {
    await credits.runDue().catch(() => pause(50))
    await pause(5)
  }
}
