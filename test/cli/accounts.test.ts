import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgliteStore } from '../../adapters/pglite.js'
import { CreditService } from '../../src/index.js'
import { createTestPGlite } from '../support/pglite.js'
import { createTestDatabase } from '../support/postgres.js'
import { commandLine, json, testFolder } from './command-line.js'

let client: PGlite
beforeAll(async () => {
  client = await createTestPGlite()
})
afterAll(() => client.close())

const service = () => new CreditService({ creditTypes: ['calls', 'leads'], store: pgliteStore({ client }) })

async function withCredits<R>(work: (credits: ReturnType<typeof service>) => Promise<R>): Promise<R> {
  const credits = service()
  try {
    return await work(credits)
  } finally {
    await credits.close()
  }
}

describe('balance and history', () => {
  it('show a user as a table, and as JSON', async () => {
    const { creditkit } = commandLine(service)
    await withCredits(async (credits) => {
      await credits.addCredits({ userId: 'ada', amount: 1500, creditType: 'calls', description: 'Gift' })
      await credits.deductCredits({ userId: 'ada', amount: 200, creditType: 'calls', description: 'A\u001b[2Jcall' })
    })
    const balance = await creditkit('balance', 'ada')
    expect(balance.code).toBe(0)
    expect(balance.stdout).toMatch(/type +available/)
    expect(balance.stdout).toMatch(/calls +1,300/)
    expect(json(await creditkit('balance', 'ada', '--json'))).toMatchObject({
      userId: 'ada',
      balances: { calls: { balance: 1300 }, leads: { balance: 0 } },
    })
    const history = await creditkit('history', 'ada', '--credit-type', 'calls')
    expect(history.stdout).toMatch(/usage +-200 +1,300 +A \[2Jcall/)
    expect(history.stdout).not.toContain('\u001b')
    const first = json(await creditkit('history', 'ada', '--limit', '1', '--json')) as { nextCursor: string }
    expect(first).toMatchObject({ transactions: [{ seq: 2, amount: -200 }] })
    const second = json(await creditkit('history', 'ada', '--cursor', first.nextCursor, '--json'))
    expect(second).toMatchObject({ transactions: [{ seq: 1, amount: 1500 }], nextCursor: null })
  })

  it('read a list that is longer than a page to the end', async () => {
    const { creditkit } = commandLine(service)
    await withCredits((credits) =>
      credits.addCredits({ userId: 'long', amount: 300, creditType: 'calls', description: 'Gift' }),
    )
    await withCredits((credits) =>
      Promise.all(
        Array.from({ length: 250 }, () =>
          credits.deductCredits({ userId: 'long', amount: 1, creditType: 'calls', description: 'Call' }),
        ),
      ),
    )
    const all = json(await creditkit('history', 'long', '--limit', '1000', '--json')) as { transactions: unknown[] }
    expect(all.transactions).toHaveLength(251)
  })
})

describe('adjust', () => {
  const adjust = (userId: string, amount: string, ...more: string[]) => [
    ...['adjust', userId, amount, '--credit-type', 'calls', '--reason', 'Support', ...more],
  ]

  it('says what it would do, and does nothing when nobody is there or nobody agrees', async () => {
    const { creditkit, typing } = commandLine(service)
    const alone = await creditkit(...adjust('bob', '10'))
    expect(alone).toMatchObject({ code: 2, stdout: '' })
    expect(alone.stderr).toMatch(/This will give 10 calls credits to bob: "Support" \(key cli:[\da-f-]{36}\)/)
    expect(alone.stderr).toContain('pass --yes')
    expect(await typing(['no'], ...adjust('bob', '10'))).toMatchObject({ code: 1, stdout: '' })
    expect(await withCredits((credits) => credits.getTransactionHistory('bob'))).toEqual([])
    expect(await typing(['y'], ...adjust('bob', '10'))).toMatchObject({ code: 0 })
    expect(await withCredits((credits) => credits.getTransactionHistory('bob'))).toMatchObject([{ amount: 10 }])
  })

  it('writes once under one key, takes with a negative amount, and never more than there is', async () => {
    const { creditkit } = commandLine(service)
    expect((await creditkit(...adjust('eve', '10', '--yes', '--key', 'k1', '--actor', 'ops'))).stdout).toContain(
      'is written',
    )
    expect((await creditkit(...adjust('eve', '10', '--yes', '--key', 'k1', '--actor', 'ops'))).stdout).toContain(
      'written before',
    )
    expect(await creditkit(...adjust('eve', '-4', '--yes', '--json'))).toMatchObject({ code: 0 })
    expect(await withCredits((credits) => credits.getTransactionHistory('eve'))).toMatchObject([
      { amount: -4, transactionType: 'adjustment', description: 'Support' },
      { amount: 10, actor: 'ops', idempotencyKey: 'k1' },
    ])
    const short = await creditkit(...adjust('eve', '-100', '--yes'))
    expect(short.code).toBe(1)
    expect(short.stderr).toContain('creditkit: INSUFFICIENT_CREDITS: Insufficient credits. Required: 100, Available: 6')
  })

  it('is refused without a reason, with no amount, and with one that is no whole number', async () => {
    const { creditkit } = commandLine(service)
    expect(await creditkit('adjust', 'eve', '5', '--yes')).toMatchObject({ code: 2 })
    for (const amount of ['0', '1.5', 'many', '9007199254740993'])
      expect(await creditkit(...adjust('eve', amount, '--yes'))).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('verify and rebuild', () => {
  it('find a balance that was changed by hand, say so by the exit code, and restore it', async () => {
    const { creditkit } = commandLine(service)
    await withCredits((credits) =>
      credits.addCredits({ userId: 'mal', amount: 50, creditType: 'calls', description: 'Gift' }),
    )
    expect(await creditkit('verify')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('books add up') as string,
    })
    await client.query(`update creditkit.user_credits set balance = 5000 where user_id = 'mal'`)
    const broken = await creditkit('verify')
    expect(broken.code).toBe(1)
    expect(broken.stdout).toMatch(/mal +calls/)
    expect(await creditkit('verify', '--user', 'ada')).toMatchObject({ code: 0 })
    const report = json(await creditkit('verify', '--json', '--user', 'mal')) as { violations: unknown[] }
    expect(report.violations.length).toBeGreaterThan(0)
    expect(await creditkit('rebuild', 'mal', '--credit-type', 'calls')).toMatchObject({ code: 2 })
    const rebuilt = await creditkit('rebuild', 'mal', '--credit-type', 'calls', '--yes')
    expect(rebuilt).toMatchObject({ code: 0, stdout: 'Restored: 50 credits available. The books add up.\n' })
    expect(await creditkit('verify')).toMatchObject({ code: 0 })
  })
})

describe('the command line', () => {
  it('ends with 2 where it is called wrongly, and says how it is called', async () => {
    const { creditkit } = commandLine()
    expect(await creditkit('nonsense')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('unknown command') as string,
    })
    expect(await creditkit('balance')).toMatchObject({ code: 2, stderr: expect.stringContaining("'user'") as string })
    expect(await creditkit('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('shadow') as string })
    expect(await creditkit('balance', 'ada')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('npx creditkit init') as string,
    })
    expect(await creditkit('balance', 'ada', '--config', 'none.ts')).toMatchObject({
      code: 2,
      stderr: 'creditkit: there is no file none.ts\n',
    })
  })

  it('finds the service in src/lib, reads .env, and shows a stack only to those who debug', async () => {
    const { creditkit, cwd } = commandLine()
    mkdirSync(join(cwd, 'src/lib'), { recursive: true })
    writeFileSync(join(cwd, '.env'), 'CREDITKIT_TEST_MESSAGE="from .env"\n')
    writeFileSync(join(cwd, 'src/lib/credits.ts'), `throw new Error(process.env.CREDITKIT_TEST_MESSAGE as string)\n`)
    try {
      expect(await creditkit('verify')).toMatchObject({ code: 1, stderr: 'creditkit: from .env\n' })
      expect((await creditkit('verify', '--debug')).stderr).toContain('    at ')
    } finally {
      delete process.env.CREDITKIT_TEST_MESSAGE
    }
  })

  it('says so where the file exports no service', async () => {
    const folder = testFolder()
    writeFileSync(join(folder, 'credits.mjs'), 'export const credits = {}\n')
    const { creditkit } = commandLine(undefined, folder)
    expect(await creditkit('verify')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('credits.mjs exports no CreditService') as string,
    })
  })
})

describe('migrate', () => {
  it('makes the tables, and the next time finds nothing to do', async () => {
    const { creditkit } = commandLine()
    const database = await createTestDatabase()
    try {
      const first = json(await creditkit('migrate', '--database', database.url, '--schema', 'money', '--json'))
      expect(first).toMatchObject({ schema: 'money', applied: expect.arrayContaining([1]) as number[] })
      expect(await creditkit('migrate', '--database', database.url, '--schema', 'money')).toMatchObject({
        code: 0,
        stdout: 'Schema money is up to date.\n',
      })
    } finally {
      await database.drop()
    }
    const away = await creditkit('migrate', '--database', 'postgres://127.0.0.1:1/none')
    expect(away.code).toBe(1)
    expect(away.stderr).toMatch(/^creditkit: [A-Z_]+: /)
  })
})
