import { randomUUID } from 'node:crypto'
import { type AddressInfo, createServer } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type FailingNetwork, type NetworkFault, startFailingNetwork } from './failing-network.js'
import { SEED } from './scene.js'

let database: TestDatabase
let network: FailingNetwork
let pool: pg.Pool
let credits: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  network = await startFailingNetwork(database.url, SEED)
  pool = new pg.Pool({ connectionString: network.url, max: 4, query_timeout: 1_000 })
  credits = new CreditService({ store: postgresStore(pool) })
})
afterAll(async () => {
  await credits.close()
  await pool.end()
  await network.close()
  await database.drop()
})

const CALL = { creditType: 'calling', amount: 5, description: 'Call' } as const

/** Somebody with credits, a use and a hold, and what there is to do. */
async function somebody() {
  const userId = `user-${randomUUID()}`
  await credits.addCredits({ ...CALL, userId, amount: 100 })
  const { id: transactionId } = await credits.deductCredits({ ...CALL, userId })
  const { id: holdId } = await credits.holdCredits({ ...CALL, userId })
  return { userId, transactionId, holdId, other: `user-${randomUUID()}` }
}

type Somebody = Awaited<ReturnType<typeof somebody>>

const WRITES: [string, (who: Somebody, idempotencyKey: string | null) => Promise<{ id: string; replayed: boolean }>][] =
  [
    ['a deduction', ({ userId }, idempotencyKey) => credits.deductCredits({ ...CALL, userId, idempotencyKey })],
    ['a gift', ({ userId }, idempotencyKey) => credits.addCredits({ ...CALL, userId, idempotencyKey })],
    [
      'an adjustment',
      ({ userId }, idempotencyKey) => credits.adjustCredits({ ...CALL, userId, amount: -5, idempotencyKey }),
    ],
    ['a refund', ({ transactionId }, idempotencyKey) => credits.refundCredits({ transactionId, idempotencyKey })],
    ['a hold', ({ userId }, idempotencyKey) => credits.holdCredits({ ...CALL, userId, idempotencyKey })],
    ['a capture', ({ holdId }, idempotencyKey) => credits.captureHold({ holdId, idempotencyKey })],
    ['a release', ({ holdId }, idempotencyKey) => credits.releaseHold({ holdId, idempotencyKey })],
    [
      'an extension',
      ({ holdId }, idempotencyKey) => credits.extendHold({ holdId, expiresInSeconds: 86_400, idempotencyKey }),
    ],
    [
      'a transfer',
      async ({ userId, other }, idempotencyKey) =>
        (await credits.transferCredits({ ...CALL, fromUserId: userId, toUserId: other, idempotencyKey })).from,
    ],
    [
      'a deduction among several',
      async ({ userId }, idempotencyKey) => {
        const [first] = await credits.deductMany([{ ...CALL, userId, idempotencyKey }])
        if (first === undefined) throw new Error('deductMany returned nothing')
        return first
      },
    ],
  ]

const FAULTS: NetworkFault[] = ['replyDropped', 'requestDropped', 'truncated', 'cutInTransaction']

describe.each(WRITES)('%s', (_name, write) => {
  it.each([
    ['with', (): string | null => randomUUID()],
    ['without', () => null],
  ])(
    "whose reply is lost after COMMIT has happened once, and is told as the call's own: %s a key",
    async (_with, key) => {
      const who = await somebody()
      const before = network.counts.replyDropped
      network.failNext('replyDropped')
      const written = await write(who, key())
      expect(network.counts.replyDropped).toBe(before + 1)
      expect(written.replayed).toBe(false)
      const once = await figures(who)
      expect(once).toEqual(await figuresOf(write))
      expect((await credits.verify({ userId: who.userId })).violations).toEqual([])
    },
  )

  it('asked again with its key tells the first result, and that it is a repeat', async () => {
    const who = await somebody()
    const key = randomUUID()
    const first = await write(who, key)
    const second = await write(who, key)
    expect([first.replayed, second.replayed]).toEqual([false, true])
    expect(second.id).toBe(first.id)
    expect(await figures(who)).toEqual(await figuresOf(write))
  })

  it('on a network that does anything else is done once, or surely not, or may be: as it is told', async () => {
    for (const fault of FAULTS) {
      const who = await somebody()
      const untouched = await figures(who)
      network.failNext(fault)
      const code = await write(who, null).then(
        () => 'done',
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
      )
      // Where it was not possible, it has not happened.
      network.failNext(null)
      const after = await figures(who)
      const done = await figuresOf(write)
      const right = { done: [done], UNAVAILABLE: [untouched], OUTCOME_UNKNOWN: [done, untouched] }[code]
      expect([code, right]).toEqual([code, expect.arrayContaining([after])])
      // Settled by itself: only the last word on what was written may be unknown, and it was not lost for good.
      expect(code).not.toBe('OUTCOME_UNKNOWN')
    }
  })
})

describe('a server that hangs up before a connection is made', () => {
  it.each([
    ['a pool of the host', (url: string) => new pg.Pool({ connectionString: url })],
    ['a pool of our own', (url: string) => url],
  ])('has surely not written anything: %s', async (_name, openDatabase) => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.on('error', () => undefined)
      // As a proxy does whose server is away: it takes the connection, hears the greeting, and ends it.
      socket.once('data', () => socket.destroy())
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    // A TCP server's address is never a path.
    const { port } = server.address() as AddressInfo
    const away = new CreditService({ store: postgresStore(openDatabase(`postgres://u@127.0.0.1:${port}/d`)) })
    const userId = `user-${randomUUID()}`
    const calls = [
      away.deductCredits({ ...CALL, userId }),
      away.holdCredits({ ...CALL, userId, idempotencyKey: 'job' }),
      away.addCredits({ ...CALL, userId }),
    ]
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } })
    expect(connections).toBeGreaterThan(0)
    await away.close()
    server.close()
  })
})

interface Figures {
  rows: number
  balance: number
  held: number
  others: number
}

async function figures({ userId, other }: Somebody): Promise<Figures> {
  const { balance, held } = (await credits.getAllBalances(userId)).calling
  const rows = (await credits.getTransactionHistory(userId)).length
  return { rows, balance, held, others: await credits.getBalance(other, 'calling') }
}

/** What one write, on a network that works, makes of somebody. */
async function figuresOf(write: (typeof WRITES)[number][1]): Promise<Figures> {
  const who = await somebody()
  await write(who, null)
  return figures(who)
}
