import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgliteStore } from '../../adapters/pglite.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestPGlite } from '../support/pglite.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { commandLine, json, lastingStore } from './command-line.js'

describe('import from a file', () => {
  const store = lastingStore()
  const service = () => new CreditService({ creditTypes: ['calls', 'leads'], store })
  const file = (cwd: string, ...lines: string[]) => writeFileSync(join(cwd, 'opening.csv'), `${lines.join('\n')}\n`)

  it('only says what it would do, unless it is told to', async () => {
    const { creditkit, cwd } = commandLine(service)
    file(cwd, 'user_id,credit_type,balance', 'dry-1,calls,10', 'dry-2,leads,5', 'dry-3,calls,0')
    expect(json(await creditkit('import', 'opening.csv', '--json'))).toMatchObject({
      ...{ name: 'opening.csv', rows: 2, credits: 15, empty: 1, refused: 0, applied: false },
    })
    const { stdout, code } = await creditkit('import', 'opening.csv')
    expect(stdout).toContain('2 accounts with 15 credits, 1 empty account left out, 0 rows refused.')
    expect(stdout).toContain('Nothing was granted')
    expect(code).toBe(0)
    expect(await service().getTransactionHistory('dry-1')).toEqual([])
  })

  it('grants each user once, however often it is repeated, and reconciles to the credit', async () => {
    const { creditkit, cwd } = commandLine(service)
    const users = Array.from({ length: 60 }, (_, index) => `file-${index},calls,${index + 1}`)
    file(cwd, 'user_id,credit_type,balance', ...users.slice(0, 30))
    const apply = ['import', 'opening.csv', '--apply', '--yes', '--json', '--source', 'promotional']
    expect(json(await creditkit(...apply))).toMatchObject({ applied: true, granted: 30, before: 0, difference: 0 })
    // As if it had been broken off half way, and started again with the whole file.
    file(cwd, 'user_id,credit_type,balance', ...users)
    const again = await creditkit(...apply)
    expect(json(again)).toMatchObject({
      granted: 30,
      before: 30,
      failed: 0,
      inLedger: 1830,
      credits: 1830,
      difference: 0,
    })
    expect(again.code).toBe(0)
    const [row, ...others] = await service().getTransactionHistory('file-59')
    expect(others).toEqual([])
    expect(row).toMatchObject({
      ...{ amount: 60, transactionType: 'adjustment', description: 'Opening balance (opening.csv)' },
      idempotencyKey: 'import:opening.csv:calls',
    })
    expect(await service().getGrants('file-59', 'calls')).toMatchObject([{ source: 'promotional', remaining: 60 }])
  })

  it('tells which line is refused and why, and then grants nothing, or the others', async () => {
    const { creditkit, cwd } = commandLine(service)
    file(
      cwd,
      'Credit_Type,balance,user_id,note',
      'calls,10,ok-1,',
      'calls,-3,debtor,',
      'calls,1.5,half,',
      'calls,,none,',
      'minutes,1,typo,',
      'calls,10,ok-1,again',
      'calls,9007199254740993,rich,',
      'calls,4,,',
    )
    const { code, ...answer } = await creditkit('import', 'opening.csv', '--json')
    const found = json({ code, ...answer }) as { refusedRows: { place: string; reason: string }[] }
    expect(code).toBe(1)
    expect(found.refusedRows.map(({ place, reason }) => `${place}: ${reason}`)).toEqual([
      'line 3: the balance is negative: -3',
      'line 4: the balance is no whole number: "1.5"',
      'line 5: the balance is no whole number: ""',
      'line 6: unknown credit type "minutes"; known: calls, leads',
      'line 7: this user stands there before, with this credit type',
      expect.stringMatching(/^line 8: .*counted exactly/),
      expect.stringMatching(/^line 9: userId: /),
    ])
    const blocked = await creditkit('import', 'opening.csv', '--apply', '--yes')
    expect(blocked.code).toBe(1)
    expect(await service().getTransactionHistory('ok-1')).toEqual([])
    expect(await creditkit('import', 'opening.csv', '--apply', '--yes', '--skip-refused')).toMatchObject({ code: 0 })
    expect(await service().getBalance('ok-1', 'calls')).toBe(10)
  })

  it('shows a row that says something else than what was granted before', async () => {
    const { creditkit, cwd } = commandLine(service)
    file(cwd, 'user_id,balance', 'changed,10')
    const apply = ['import', 'opening.csv', '--credit-type', 'leads', '--name', 'first', '--apply', '--yes', '--json']
    expect(await creditkit(...apply)).toMatchObject({ code: 0 })
    file(cwd, 'user_id,balance', 'changed,11')
    const again = await creditkit(...apply)
    expect(again.code).toBe(1)
    expect(json(again)).toMatchObject({ failed: 1, inLedger: 0, difference: -11, failedRows: [{ userId: 'changed' }] })
    expect(await service().getBalance('changed', 'leads')).toBe(10)
  })

  it('asks before it grants', async () => {
    const { creditkit, typing, cwd } = commandLine(service)
    file(cwd, 'user_id,credit_type,balance', 'asked,calls,10')
    expect(await creditkit('import', 'opening.csv', '--apply')).toMatchObject({ code: 2 })
    const no = await typing([''], 'import', 'opening.csv', '--apply')
    expect(no).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('will grant 10 credits to 1 account') as string,
    })
    expect(await service().getBalance('asked', 'calls')).toBe(0)
    expect(await typing(['yes'], 'import', 'opening.csv', '--apply')).toMatchObject({ code: 0 })
    expect(await service().getBalance('asked', 'calls')).toBe(10)
  })

  it('is called wrongly without a file, with no such file, or with one whose head is none', async () => {
    const { creditkit, cwd } = commandLine(service)
    file(cwd, 'who,what', 'x,1')
    for (const args of [[], ['none.csv'], ['opening.csv'], ['opening.csv', '--table', 'users'], ['--table', 'users']])
      expect(await creditkit('import', ...args)).toMatchObject({ code: 2, stdout: '' })
    writeFileSync(join(cwd, 'opening.csv'), '')
    expect(await creditkit('import', 'opening.csv')).toMatchObject({ code: 2 })
    expect(await creditkit('import', 'opening.csv', '--source', 'magic')).toMatchObject({ code: 2 })
  })
})

describe.each(['PGlite', 'PostgreSQL'])('a credits column in %s', (product) => {
  let end: () => Promise<unknown>
  let database: TestDatabase
  let sql: (text: string) => Promise<unknown>
  let service: () => CreditService<'calls'>

  beforeAll(async () => {
    const creditTypes = ['calls'] as const
    if (product === 'PGlite') {
      const client = await createTestPGlite()
      end = () => client.close()
      sql = (text) => client.exec(text)
      service = () => new CreditService({ creditTypes, store: pgliteStore({ client }) })
    } else {
      database = await createTestDatabase()
      await migrate(database.url)
      const pg = new Client({ connectionString: database.url })
      await pg.connect()
      sql = (text) => pg.query(text)
      end = () => pg.end()
      service = () => new CreditService({ creditTypes, store: postgresStore(database.url) })
    }
    await sql(`create schema app;
      create table app.users (id integer primary key, credits integer);
      insert into app.users select n, case when n % 12 = 0 then n % 7 else 0 end from generate_series(1, 1200) n;
      insert into app.users values (3000, null);
      create table odd (id text, credits numeric(12, 2));`)
  })
  afterAll(async () => {
    await end()
    await (product === 'PGlite' ? undefined : database.drop())
  })

  const host = ['--table', 'app.users', '--credit-type', 'calls']

  it('is imported whole, can be taken over again, and agrees with ours afterwards', async () => {
    const { creditkit } = commandLine(service)
    const sum = 302
    const dry = json(await creditkit('import', ...host, '--json'))
    expect(dry).toMatchObject({ name: 'app.users.credits', rows: 86, empty: 1115, credits: sum, refused: 0 })
    expect(await creditkit('shadow', ...host)).toMatchObject({ code: 1 })

    expect(json(await creditkit('import', ...host, '--apply', '--yes', '--json'))).toMatchObject({
      ...{ granted: 86, inLedger: sum, difference: 0 },
    })
    expect(json(await creditkit('import', ...host, '--apply', '--yes', '--json'))).toMatchObject({
      ...{ granted: 0, before: 86, inLedger: sum, difference: 0 },
    })
    const shadow = await creditkit('shadow', ...host)
    expect(shadow.stdout).toContain('1,201 users compared, 1,201 equal, 0 not.')
    expect(shadow.code).toBe(0)
    expect(await creditkit('verify')).toMatchObject({ code: 0 })
  })

  it('shows every user who has drifted, on either side', async () => {
    const { creditkit } = commandLine(service)
    const credits = service()
    await credits.deductCredits({ userId: '12', amount: 1, creditType: 'calls', description: 'Call' })
    await credits.addCredits({ userId: 'only-ours', amount: 3, creditType: 'calls', description: 'Gift' })
    await credits.close()
    await sql('update app.users set credits = 60 where id = 100')
    const found = await creditkit('shadow', ...host, '--json')
    expect(found.code).toBe(1)
    expect(json(found)).toMatchObject({
      ...{ creditType: 'calls', compared: 1202, equal: 1199, drifted: 3 },
      drift: [
        { userId: '100', column: '60', ours: 0 },
        { userId: '12', column: '5', ours: 4 },
        { userId: 'only-ours', column: null, ours: 3 },
      ],
    })
    expect((await creditkit('shadow', ...host)).stdout).toMatch(/100 +60 +0 +-60/)
  })

  it('of decimals, of a table where users stand twice, and of no such table is judged', async () => {
    const { creditkit } = commandLine(service)
    const odd = ['import', '--table', 'odd', '--credit-type', 'calls', '--json']
    await sql(`insert into odd values ('whole', 5.00), ('half', 1.50)`)
    expect(json(await creditkit(...odd))).toMatchObject({
      ...{ rows: 1, credits: 5, refused: 1 },
      refusedRows: [{ place: 'id half', reason: 'the balance is no whole number: "1.50"' }],
    })
    await sql(`insert into odd values ('whole', 1)`)
    for (const [args, why] of [
      [odd, 'the same, in 1 rows'],
      [['import', '--table', 'nowhere', '--credit-type', 'calls'], 'no column'],
      [['import', ...host, '--column', 'money'], 'there is no column money'],
      [['shadow', '--table', 'odd', '--column', 'id'], 'holds text'],
      [['shadow', '--table', 'odd', '--credit-type', 'minutes'], '--credit-type must be one of calls'],
    ] as const)
      expect(await creditkit(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(why) as string })
  })
})
