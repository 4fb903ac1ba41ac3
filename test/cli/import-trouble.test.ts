import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { integer } from 'drizzle-orm/pg-core'
import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { RowCheck } from '../../adapters/cli/opening-balances.js'
import { creditTables, migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase } from '../support/postgres.js'
import { commandLine, json, lastingStore } from './command-line.js'
import { inEnvironment } from './environment.js'

describe('an import of a file whose rows are not what they seem', () => {
  const service =
    (store = lastingStore()) =>
    () =>
      new CreditService({ creditTypes: ['calls'], store })
  const refusedOf = async (
    cwd: string,
    creditkit: ReturnType<typeof commandLine>['creditkit'],
    bytes: string | Buffer,
  ) => {
    writeFileSync(join(cwd, 'opening.csv'), bytes)
    const { refusedRows } = json(await creditkit('import', 'opening.csv', '--credit-type', 'calls', '--json')) as {
      refusedRows: { place: string; reason: string }[]
    }
    return refusedRows.map(({ place, reason }) => `${place}: ${reason}`)
  }

  it('refuses commas too many, which would make a thousand a one, and cells too few', async () => {
    const { creditkit, cwd } = commandLine(service())
    expect(await refusedOf(cwd, creditkit, 'user_id,balance\nada,1,500\nbob\neve,"1,500"\nok,2\n')).toEqual([
      expect.stringMatching(/^line 2: 3 cells, where the head names 2/),
      expect.stringMatching(/^line 3: 1 cells/),
      'line 4: the balance is no whole number: "1,500"',
    ])
  })

  it('refuses ids with spaces around them, and bytes that are no UTF-8', async () => {
    const { creditkit, cwd } = commandLine(service())
    expect(await refusedOf(cwd, creditkit, 'user_id,balance\n ada,1\nada,1\n')).toEqual([
      'line 2: the user id begins or ends with a space',
    ])
    expect(await refusedOf(cwd, creditkit, Buffer.from('user_id,balance\nJürgen,1\n', 'latin1'))).toEqual([
      'line 2: not UTF-8: save the file in that encoding',
    ])
  })

  it('refuses in the dry run what a store with ids of another type would refuse', async () => {
    const tables = creditTables({ userId: () => integer('user_id').notNull() })
    const store = postgresStore('postgres://127.0.0.1:1/none', { tables })
    const check = new RowCheck({ creditTypes: ['calls'], userIdType: store.userIdType }, () => 'key')
    const row = (userId: string) =>
      check.check({ place: 'here', userId, creditType: 'calls', value: '1', problem: null, done: 0 })
    expect(row('7')).toEqual({ userId: '7', creditType: 'calls', amount: 1 })
    for (const userId of ['ada', '007', '9999999999'])
      expect(row(userId)).toMatchObject({ place: 'here', reason: expect.stringContaining('type integer') as string })
    await store.close()
  })

  it('brings ids back that export had to change for spreadsheets', async () => {
    const ids = ['@ada', '-7', "'=x", "''+y", "'quoted", '=1+1', 'a"b,c\nd']
    const from = lastingStore()
    const credits = service(from)()
    for (const userId of ids) await credits.addCredits({ userId, amount: 3, creditType: 'calls', description: 'Gift' })
    await credits.close()
    const { stdout } = await commandLine(service(from)).creditkit('export', 'balances')
    expect(stdout).toContain(`\r\n'@ada,calls,3\r\n`)

    const to = lastingStore()
    const { creditkit, cwd } = commandLine(service(to))
    writeFileSync(join(cwd, 'opening.csv'), stdout)
    expect(await creditkit('import', 'opening.csv', '--apply', '--yes')).toMatchObject({ code: 0 })
    const { users } = await service(to)().findUsers()
    expect(users.map(({ userId }) => userId).sort()).toEqual([...ids].sort())
  })
})

describe('an import that is killed in the middle', () => {
  const program = fileURLToPath(new URL('../../adapters/cli/index.ts', import.meta.url))

  it('goes on where it was, grants nobody twice, and agrees to the credit', { timeout: 120_000 }, async () => {
    const database = await createTestDatabase()
    const client = new Client({ connectionString: database.url })
    try {
      await migrate(database.url)
      await client.connect()
      // So that it is surely in the middle: one of the last rows waits until we say so.
      await client.query(`create function wait() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(7); return new; end $$`)
      await client.query(`create trigger wait before insert on creditkit.credit_transactions for each row
        when (new.user_id = 'user-650') execute function wait()`)
      await client.query('select pg_advisory_lock(7)')
      const { creditkit, cwd } = commandLine()
      const rows = Array.from({ length: 700 }, (_, index) => `user-${index},enrichment,${index + 1}`)
      writeFileSync(join(cwd, 'big.csv'), `user_id,credit_type,balance\n${rows.join('\n')}\n`)
      writeFileSync(join(cwd, '.env'), `DATABASE_URL=${database.url}\n`)
      const granted = async () => {
        const { rows } = await client.query<{ count: string }>('select count(*) from creditkit.credit_transactions')
        return Number(rows[0]?.count)
      }
      const args = ['--import', import.meta.resolve('tsx'), program, 'import', 'big.csv', '--apply', '--yes']
      const child = spawn(process.execPath, args, { cwd, stdio: 'ignore' })
      const ended = once(child, 'exit')
      while ((await granted()) === 0 && child.exitCode === null) await pause(5)
      child.kill('SIGKILL')
      await ended
      await client.query('select pg_advisory_unlock(7)')
      const written = await granted()
      expect(written).toBeGreaterThan(0)
      expect(written).toBeLessThan(rows.length)

      const restore = inEnvironment({ DATABASE_URL: database.url })
      const again = await creditkit('import', 'big.csv', '--apply', '--yes', '--json')
      expect(json(again)).toMatchObject({
        ...{ rows: rows.length, failed: 0, difference: 0, inLedger: (rows.length * (rows.length + 1)) / 2 },
      })
      // Some may have been committed while the process was dying.
      const { before, granted: now } = json(again) as { before: number; granted: number }
      expect(before).toBeGreaterThanOrEqual(written)
      expect(before + now).toBe(rows.length)
      expect(await creditkit('verify')).toMatchObject({ code: 0 })
      restore()
      expect(await granted()).toBe(rows.length)
    } finally {
      await client.end()
      await database.drop()
    }
  })
})
