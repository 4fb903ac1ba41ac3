import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgliteStore } from '../../adapters/pglite.js'
import { CreditService } from '../../src/index.js'
import { type Audit, audit } from './audit.js'
import { Clients } from './clients.js'
import { callsOf } from './journal.js'
import { Load, LOAD_OPTIONS } from './load.js'
import { fund, isLong, newPeople, SEED, totalsText } from './scene.js'
import { seededRandom } from '../support/seeded-random.js'

const ROUNDS = isLong ? 40 : 4
const AUDIT_EVERY = isLong ? 10 : 4
/** Answers in each life, at least. */
const ANSWERS = 40

const people = newPeople()
let directory: string
let clients: Clients

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'creditkit-pglite-'))
  const place = { directory: join(directory, 'data') }
  clients = new Clients({ ...people, place, cache: null, callers: 6, seed: SEED })
  await withDirectory(async (credits) => {
    const first = new Load({
      ...{ credits, journalPath: clients.journalPath('first'), name: 'first', seed: SEED },
      ...{ ...people, callers: 0 },
    })
    await fund(first, people)
    first.close()
  })
})
afterAll(async () => {
  await clients.end()
  rmSync(directory, { recursive: true, force: true })
})

/** Open the directory here: nobody else may have it open. */
async function withDirectory<R>(work: (credits: CreditService, client: PGlite) => Promise<R>): Promise<R> {
  const client = await PGlite.create(join(directory, 'data'))
  const credits = new CreditService({ ...LOAD_OPTIONS, store: pgliteStore({ client }), cache: null })
  try {
    return await work(credits, client)
  } finally {
    await credits.close()
    await client.close()
  }
}

function answers(): number {
  const calls = [...callsOf(clients.journals(['ann'])).values()]
  return calls.flatMap(({ tries }) => tries).filter((told) => told !== null).length
}

describe('a process with an embedded database', () => {
  it(
    'that is killed in the middle of its writes loses nothing it was told, and has nothing twice',
    { timeout: isLong ? 600_000 : 60_000 },
    async () => {
      const random = seededRandom(SEED)
      let found: Audit | undefined
      for (let round = 1; round <= ROUNDS; round++) {
        const before = answers()
        await clients.start('ann')
        clients.prepare(1)
        for (let looks = 0; answers() < before + ANSWERS && looks < 300; looks++) await pause(50)
        await pause(random.between(0, 200))
        await clients.kill('ann')
        if (round % AUDIT_EVERY !== 0) continue
        found = await withDirectory((credits, client) =>
          audit(
            clients.journals(['first', 'ann']),
            async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
            credits,
          ),
        )
        expect(found.faults.slice(0, 20)).toEqual([])
      }
      if (found === undefined) throw new Error('nothing was audited')
      console.info(totalsText(`PGlite, seed ${SEED}`, { 'processes killed': clients.kills }, found.totals))
      expect(clients.kills).toBe(ROUNDS)
      expect(found.totals.acknowledged).toBeGreaterThan(ROUNDS * 20)
      // Kills came upon calls without an answer.
      expect(found.totals.unknown).toBeGreaterThan(0)
    },
  )
})
