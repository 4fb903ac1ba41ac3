import { randomUUID } from 'node:crypto'
import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/* Texts that look dangerous and are fine: they are kept as they are, to the last byte, wherever a text can stand. */

const TEXTS = [
  ...["'; drop table creditkit.user_credits; --", `"quoted" \\ 'and' \`ticked\``, '$1 :name ? ?? %s %d {{7*7}} ${0}'],
  ...['<script>alert(1)</script>', '__proto__', 'constructor', 'null', 'undefined', 'NaN', '0', '-1', '1e9', 'true'],
  ...[
    ' leading',
    'trailing ',
    'line\r\nset-cookie: a=b',
    '\u0001\u001f\u007f',
    '\ufeffmark',
    '\u202eright to left\u202c',
  ],
  ...[
    'Z͑ͫaͣl̴g̸o̵',
    '👩‍👩‍👧‍👦',
    '\u{10ffff}',
    'ﷺ',
    '\uffff',
    '../../etc/passwd',
    '%00%2e%2f',
    '=1+1',
    'user_credits:*',
    'é',
    'e\u0301',
  ],
  ...['x'.repeat(255), '界'.repeat(255)],
]

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

describe.each([
  ['memory', () => memoryStore()],
  ['postgres', () => postgresStore(database.url)],
])('a strange text on the store %s', (_, open) => {
  let credits: CreditService
  beforeAll(() => {
    credits = new CreditService({ store: open(), cache: null })
  })
  afterAll(() => credits.close())

  it('comes back byte for byte from every field', async () => {
    for (const text of TEXTS) {
      const userId = `${randomUUID().slice(0, 8)}${text}`.slice(0, 255)
      const fields = { idempotencyKey: text, actor: text, referenceId: text, referenceType: text, description: text }
      const metadata = { [text]: text, list: [text, { [text]: null }] }
      const about = { userId, creditType: 'calling', ...fields } as const
      const written = await credits.addCredits({ ...about, amount: 5, metadata })
      const [read] = await credits.getTransactionHistory(userId, 'calling')
      expect([written, read]).toMatchObject([fields, fields])
      expect(read?.userId).toBe(userId)
      expect(entriesOf(read?.metadata)).toEqual(entriesOf(metadata))
      expect(await credits.addCredits({ ...about, amount: 5, metadata })).toMatchObject({
        id: written.id,
        replayed: true,
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(5)
      const found = await credits.findUsers({ search: userId })
      expect(found.users.map((user) => user.userId)).toEqual([userId])
      const pack = { name: text, description: text, key: userId, creditAmount: 1, price: 1, metadata } as const
      const { id } = await credits.marketplace.upsertPackage({ ...pack, creditType: 'calling' })
      const packages = await credits.marketplace.getPackages({})
      expect(packages.find((each) => each.id === id)).toMatchObject({ name: text, description: text, key: userId })
    }
    expect((await credits.verify()).violations).toEqual([])
  })

  it('B11: that is the same letter otherwise composed, or has a blank more, is another key and another user', async () => {
    const userId = `user-${randomUUID()}`
    const about = { amount: 1, creditType: 'calling', description: 'In' } as const
    for (const idempotencyKey of ['é', 'e\u0301', 'é ', 'É'])
      await credits.addCredits({ ...about, userId, idempotencyKey })
    expect(await credits.getBalance(userId, 'calling')).toBe(4)
    for (const suffix of ['é', 'e\u0301', 'é ']) await credits.addCredits({ ...about, userId: userId + suffix })
    expect(await credits.getBalance(`${userId}é`, 'calling')).toBe(1)
  })

  it('B07: `__proto__` in what JSON.parse made is data, and nothing else', async () => {
    const userId = `user-${randomUUID()}`
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"prototype":1}'
    const metadata = JSON.parse(text) as Record<string, unknown>
    const about = { userId, amount: 1, creditType: 'calling', description: 'In' } as const
    await credits.addCredits({ ...about, metadata })
    const [read] = await credits.getTransactionHistory(userId)
    expect(entriesOf(read?.metadata)).toEqual(entriesOf(metadata))
    const input = JSON.parse('{"__proto__":{"amount":1000,"polluted":1},"amount":1,"creditType":"calling"}') as object
    await credits.addCredits({ ...about, ...input })
    // As `JSON.parse` makes it: an own field of that name.
    const whole = Object.defineProperty({ ...about }, '__proto__', { value: { amount: 1000 }, enumerable: true })
    await credits.addCredits(whole)
    expect(await credits.getBalance(userId, 'calling')).toBe(3)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

/** In order of the keys: jsonb has its own. */
function entriesOf(metadata: object | null | undefined): unknown[] {
  return Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
}
