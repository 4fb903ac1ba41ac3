import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase } from '../support/postgres.js'
import { commandLine, json } from './command-line.js'
import { inEnvironment } from './environment.js'

let restore: () => void
beforeEach(() => {
  const names = ['DATABASE_URL', 'CREDITS_DATA_DIR', 'STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'APP_URL']
  restore = inEnvironment(Object.fromEntries(names.map((name) => [name, undefined])))
})
afterEach(() => restore())

function containing(text: string): string {
  return expect.stringContaining(text) as string
}

describe('without a file of the host’s', () => {
  it('commands work on the database that the environment names, with the credit types it holds', async () => {
    const database = await createTestDatabase()
    try {
      await migrate(database.url)
      const credits = new CreditService({ creditTypes: ['tokens', 'minutes'], store: postgresStore(database.url) })
      await credits.addCredits({ userId: 'ada', amount: 70, creditType: 'tokens', description: 'Gift' })
      await credits.addCredits({ userId: 'ada', amount: 5, creditType: 'minutes', description: 'Gift' })
      await credits.close()
      const { creditkit, cwd } = commandLine()
      writeFileSync(join(cwd, '.env.local'), `DATABASE_URL=${database.url}\n`)
      expect(json(await creditkit('balance', 'ada', '--json'))).toMatchObject({
        balances: { minutes: { balance: 5 }, tokens: { balance: 70 } },
      })
      expect(
        await creditkit('adjust', 'ada', '-1', '--credit-type', 'enrichment', '--reason', 'x', '--yes'),
      ).toMatchObject({ code: 1, stderr: containing('creditType') })
      expect(await creditkit('verify')).toMatchObject({ code: 0, stdout: '2 accounts checked: the books add up.\n' })
    } finally {
      await database.drop()
    }
  })

  it('commands work on an embedded database’s directory, which migrate makes, too', { timeout: 120_000 }, async () => {
    const { creditkit, cwd } = commandLine()
    inEnvironment({ CREDITS_DATA_DIR: join(cwd, 'data') })
    expect(await creditkit('migrate', '--schema', 'money')).toMatchObject({ code: 2, stdout: '' })
    expect(json(await creditkit('migrate', '--json'))).toMatchObject({ schema: 'creditkit', applied: [1] })
    const adjust = ['adjust', 'ada', '12', '--credit-type', 'calling', '--reason', 'Welcome', '--yes']
    expect(await creditkit(...adjust)).toMatchObject({ code: 0 })
    expect((await creditkit('history', 'ada')).stdout).toMatch(/calling +adjustment +12 +12 +Welcome/)
  })

  it('commands that need tables say that there are none, and all say when nothing names a database', async () => {
    const database = await createTestDatabase()
    try {
      const { creditkit, cwd } = commandLine()
      writeFileSync(join(cwd, '.env'), `DATABASE_URL=${database.url}\n`)
      expect(await creditkit('balance', 'ada')).toMatchObject({ code: 1, stderr: containing('STORE_NOT_CONFIGURED: ') })
    } finally {
      await database.drop()
    }
    restore()
    restore = inEnvironment({ DATABASE_URL: undefined, CREDITS_DATA_DIR: undefined })
    const { creditkit } = commandLine()
    for (const args of [['balance', 'ada'], ['verify'], ['export', 'balances'], ['migrate'], ['prove']])
      expect(await creditkit(...args)).toMatchObject({ code: 2, stdout: '', stderr: containing('DATABASE_URL') })
  })

  it('a key of Stripe’s needs all the rest, which is named, and no key is shown', async () => {
    const { creditkit, cwd } = commandLine()
    inEnvironment({ CREDITS_DATA_DIR: join(cwd, 'data'), STRIPE_SECRET_KEY: 'sk_test_hidden' })
    const { code, stderr } = await creditkit('reconcile', '--debug')
    expect(code).toBe(1)
    expect(stderr).toMatch(/STRIPE_WEBHOOK_SECRET .* is missing or blank; APP_URL/)
    expect(stderr).not.toContain('sk_test_hidden')
  })
})

describe('connection strings', () => {
  it('are never shown, not even those that are wrong', async () => {
    for (const url of [
      'postgres://app:hunter2@127.0.0.1:1/none',
      'postgres//app:hunter2@db',
      'hunter2',
      'http://a:hunter2@b',
    ])
      for (const args of [
        ['migrate', '--database', url],
        ['prove', '--database', url, '--seconds', '1'],
        ['balance', 'ada'],
        ['doctor'],
      ]) {
        const undo = inEnvironment({ DATABASE_URL: url })
        const { code, stdout, stderr } = await commandLine().creditkit(...args, '--debug')
        undo()
        expect([args[0], code]).toEqual([args[0], 1])
        expect(stdout + stderr).not.toContain('hunter2')
      }
  })
})

describe('the host’s file', () => {
  const throwing = (words: string) => `throw new Error('${words}')\n`

  it('is creditkit.config.ts before credits.ts, and --config before both', async () => {
    const { creditkit, cwd } = commandLine()
    writeFileSync(join(cwd, 'credits.ts'), throwing('I am credits.ts'))
    expect(await creditkit('verify')).toMatchObject({ stderr: 'creditkit: I am credits.ts\n' })
    writeFileSync(join(cwd, 'creditkit.config.js'), throwing('I am the config'))
    expect(await creditkit('verify')).toMatchObject({ stderr: 'creditkit: I am the config\n' })
    writeFileSync(join(cwd, 'other.mjs'), throwing('I am another'))
    expect(await creditkit('verify', '--config', 'other.mjs')).toMatchObject({ stderr: 'creditkit: I am another\n' })
    expect(await creditkit('verify', '--config', '.')).toMatchObject({
      code: 2,
      stderr: containing('there is no file'),
    })
  })

  it.each([
    ['export const credits = service', 'named `credits`'],
    ['export default service', 'as its default'],
    ['export default { credits: service }', 'inside of its default'],
  ])('may export the service: %s', async (line) => {
    const { creditkit, cwd } = commandLine()
    const fake = `{ getAllBalances: async () => ({}), adjustCredits() {}, close: async () => {}, verify: async () => ({ accounts: 7, violations: [] }) }`
    writeFileSync(join(cwd, 'credits.ts'), `const service: object = ${fake}\n${line}\n`)
    expect(await creditkit('verify')).toMatchObject({ code: 0, stdout: '7 accounts checked: the books add up.\n' })
  })
})
