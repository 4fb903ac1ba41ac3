import { v7 as uuidv7 } from 'uuid'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { AccountKey } from '../../src/ledger/account.js'
import type { ClaimedEvent } from '../../src/ports/outbox-store.js'
import type { CreditStore } from '../../src/ports/store.js'
import { change } from '../conformance/credit-store/bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { EVENT_KINDS } from '../../src/ledger/event.js'

const MORNING = new Date('2026-05-04T08:00:00.000Z')

let creditType = 0
/** An account of its own, told from the others by its credit type alone. */
const newAccount = (): AccountKey => ({
  userId: uuidv7(),
  creditType: `type-${String((creditType += 1)).padStart(6, '0')}`,
})

/** Steps of an account with so many events each, at MORNING. Their names are the steps' and the events' places. */
async function tell(store: CreditStore, key: AccountKey, ...steps: number[]): Promise<void> {
  for (const events of steps) {
    await change(
      store,
      key,
      MORNING,
      (posting) => {
        for (let place = 0; place < events; place += 1)
          posting.announce({ kind: 'depleted', payload: { balance: place } })
      },
      { rules: { limits: [], alerts: [], announce: new Set(['depleted']) } },
    )
  }
}

const names = (events: readonly ClaimedEvent[], { userId, creditType }: AccountKey) =>
  events
    .filter((event) => event.userId === userId && event.creditType === creditType)
    .map(({ seq, position }) => `${seq}.${position}`)

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  pool = new pg.Pool({ connectionString: database.url, max: 10 })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

/* What the contract's suite can't ask of every store: several connections, and a transaction that holds a claim. */

describe('claimers of events on several connections', () => {
  it('never share an account, and each event is handed out once, in order', { timeout: 60_000 }, async () => {
    const store = postgresStore(pool)
    const keys = Array.from({ length: 40 }, () => newAccount())
    for (const key of keys) await tell(store, key, 3, 2, 4)
    const inHand = new Set<string>()
    const told = new Map<string, string[]>()
    const deliver = async (): Promise<void> => {
      for (;;) {
        const page = await store.claimEvents({ limit: 7, kinds: EVENT_KINDS, leaseSeconds: 600, now: null })
        if (page.length === 0) return
        const accounts = new Set(page.map((event) => event.creditType))
        for (const account of accounts) {
          expect(inHand.has(account), `${account} is in the hands of two`).toBe(false)
          inHand.add(account)
        }
        for (const event of page) {
          const sofar = told.get(event.creditType) ?? []
          told.set(event.creditType, [...sofar, `${event.seq}.${event.position}`])
        }
        // Of an account, the last to be settled gives it free: not before it is out of our hands.
        const remaining = page.map((event) => event.creditType)
        for (const event of page) {
          remaining.shift()
          if (!remaining.includes(event.creditType)) inHand.delete(event.creditType)
          await store.settleEvent(event)
        }
      }
    }
    // A claimer that sees only busy accounts leaves; the others tell the rest.
    await Promise.all(Array.from({ length: 8 }, deliver))
    await deliver()
    const all = ['1.0', '1.1', '1.2', '2.0', '2.1', '3.0', '3.1', '3.2', '3.3']
    expect(keys.map((key) => told.get(key.creditType))).toEqual(keys.map(() => all))
  })

  it('share a page out: to many accounts, before a second event of any', async () => {
    const store = postgresStore(pool)
    const keys = Array.from({ length: 4 }, () => newAccount())
    for (const key of keys) await tell(store, key, 10)
    const page = await store.claimEvents({ limit: 6, kinds: EVENT_KINDS, leaseSeconds: 60, now: null })
    expect(keys.map((key) => names(page, key).length).sort()).toEqual([1, 1, 2, 2])
    await settleAll(store, page)
    await drain(store)
  })

  it('skip an account that somebody is claiming right now, without waiting', async () => {
    const store = postgresStore(pool)
    const [held, free] = [newAccount(), newAccount()]
    for (const key of [held, free]) await tell(store, key, 2)
    await store.transaction(async (tx) => {
      const inside = await store.within(tx).claimEvents({ limit: 1, kinds: EVENT_KINDS, leaseSeconds: 60, now: null })
      const outside = await store.claimEvents({ limit: 100, kinds: EVENT_KINDS, leaseSeconds: 60, now: null })
      expect(inside).toHaveLength(1)
      expect(outside).toHaveLength(2)
      expect(inside[0]?.creditType).not.toBe(outside[0]?.creditType)
    })
    await drain(store)
  })
})

async function settleAll(store: CreditStore, events: readonly ClaimedEvent[]): Promise<void> {
  for (const event of events) await store.settleEvent(event)
}

/** Far in the future every event is due. */
async function drain(store: CreditStore): Promise<void> {
  for (;;) {
    const now = new Date('2100-01-01T00:00:00.000Z')
    const events = await store.claimEvents({ limit: 1000, kinds: EVENT_KINDS, leaseSeconds: 1, now })
    if (events.length === 0) return
    await settleAll(store, events)
  }
}
