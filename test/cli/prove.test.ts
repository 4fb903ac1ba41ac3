import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Journal } from '../../adapters/cli/prove/journal.js'
import { type ProofReport, reportText } from '../../adapters/cli/prove/report.js'
import { CreditService } from '../../src/index.js'
import { memoryStore } from '../../adapters/memory.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

const CLI = fileURLToPath(new URL('../../adapters/cli/index.ts', import.meta.url))

/** The command as a shell runs it. */
async function creditkit(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: '' }
  const run = promisify(execFile)(process.execPath, ['--import', 'tsx', CLI, ...args], { env, maxBuffer: 2 ** 24 })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    // What execFile rejects with when the process ended badly.
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  )
}

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

describe('creditkit prove', () => {
  it(
    'holds on a real server, through kills and lost answers, and leaves nothing behind',
    { timeout: 120_000 },
    async () => {
      const { code, stdout, stderr } = await creditkit('prove', '--database', database.url, '--seconds', '6', '--json')
      expect(stderr).toContain('kills and lost answers')
      const report = JSON.parse(stdout) as ProofReport
      expect(report.server).toMatch(/^PostgreSQL \d/)
      expect(report).toMatchObject({
        races: { rounds: 2, callers: 32, credits: 10, succeeded: 20, wrongRounds: 0 },
        crashes: { lostWrites: 0, doubleEffects: 0, refusedButWritten: 0 },
        webhooks: { grants: 5, purchases: 5 },
        overspends: 0,
        verified: { violations: [] },
        tooFew: [],
        holds: true,
      })
      expect(report.crashes.kills).toBeGreaterThanOrEqual(2)
      expect(report.crashes.lostAnswers).toBeGreaterThanOrEqual(2)
      expect(report.crashes.acknowledged).toBeGreaterThan(100)
      expect(report.webhooks.deliveries).toBeGreaterThanOrEqual(100)
      expect(code).toBe(0)
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      const { rows } = await client.query(`select nspname from pg_namespace where nspname like 'creditkit%'`)
      await client.end()
      expect(rows).toEqual([])
    },
  )

  it('says what is missing without a database, and why it can not reach one', async () => {
    expect(await creditkit('prove')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('DATABASE_URL') as string,
    })
    const unreachable = await creditkit('prove', '--database', 'postgres://127.0.0.1:1/none')
    expect(unreachable.code).toBe(1)
    expect(unreachable.stderr).toContain('creditkit: ')
    expect(unreachable.stderr).not.toContain('    at ')
    const wrong = await creditkit('prove', '--database', database.url, '--seconds', 'soon')
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('must be a whole number') as string })
  })
})

describe('the comparison with the ledger', () => {
  async function ledger() {
    const credits = new CreditService({ store: memoryStore(), creditTypes: ['proof'] })
    await credits.addCredits({ userId: 'ann', amount: 10, description: 'Gift' })
    const use = await credits.deductCredits({ userId: 'ann', amount: 2, description: 'Use', idempotencyKey: 'k1' })
    const { transactions } = await credits.listTransactions({ userId: 'ann' })
    await credits.close()
    return { use, transactions }
  }

  it('finds what was acknowledged and is not there, is there twice or otherwise, or should not be', async () => {
    const { use, transactions } = await ledger()
    const journal = new Journal()
    journal.note({ kind: 'asks', userId: 'ann', key: 'k1', amount: 2 })
    journal.note({ kind: 'acknowledged', key: 'k1', transactionId: use.id, replayed: false })
    expect(journal.compare(transactions)).toEqual({ lost: [], doubled: [], refusedButWritten: [], overspent: [] })
    expect(journal.compare([]).lost).toEqual(['k1'])
    expect(journal.compare([...transactions, use]).doubled).toEqual(['k1'])
    expect(journal.compare([{ ...use, amount: -3 }]).doubled).toEqual(['k1'])
    expect(journal.compare([{ ...use, id: 'another' }]).lost).toEqual(['k1'])
    expect(journal.compare([{ ...use, balanceAfter: -1 }]).overspent).toHaveLength(1)
    const refused = new Journal()
    refused.note({ kind: 'asks', userId: 'ann', key: 'k1', amount: 2 })
    refused.note({ kind: 'refused', key: 'k1', code: 'INSUFFICIENT_CREDITS' })
    expect(refused.compare(transactions).refusedButWritten).toEqual(['k1'])
  })
})

describe('the report', () => {
  const report: ProofReport = {
    server: 'PostgreSQL 18',
    seconds: 30,
    races: { rounds: 8, callers: 32, credits: 10, succeeded: 80, wrongRounds: 0 },
    crashes: {
      ...{ kills: 40, lostAnswers: 90, asked: 9000, acknowledged: 8990, replays: 12 },
      ...{ lostWrites: 0, doubleEffects: 0, refusedButWritten: 0 },
    },
    webhooks: { deliveries: 200, grants: 5, purchases: 5 },
    overspends: 0,
    verified: { accounts: 25, violations: [] },
    tooFew: [],
    holds: true,
  }

  it('ends in a verdict', () => {
    expect(reportText(report)).toMatch(/✓ acknowledged writes lost +0\n/)
    expect(reportText(report)).toMatch(/Every promise held on your database\.\n$/)
    const broken = { ...report, overspends: 1, holds: false }
    expect(reportText(broken)).toMatch(/✗ overspends +1\n/)
    expect(reportText(broken)).toContain('A promise was broken')
    expect(reportText({ ...report, tooFew: ['only 1 client was killed'], holds: false })).toContain('Nothing is proved')
  })
})
