import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '../../adapters/postgres/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import {
  customerOf,
  purchaseOf,
  quarantineOf,
  subscriptionOf,
  topupOf,
  writePurchases,
  writeQuarantine,
  writeTopup,
} from '../conformance/credit-store/records.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type Host, HOST_NAMES, openHost } from './hosts.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

/** A row of everything about selling, of a user of their own. */
function newRecords() {
  const userId = `user-${randomUUID()}`
  const invoiceId = `in_${randomUUID()}`
  const resolution = {
    resolvedAt: new Date('2026-03-11T12:00:00Z'),
    resolvedBy: 'ann',
    resolution: 'dismissed',
  } as const
  return {
    gone: customerOf(userId),
    customer: customerOf(userId),
    subscription: subscriptionOf(userId),
    topup: topupOf({ userId, creditType: 'calling' }),
    purchase: purchaseOf(userId, { origin: 'invoice', invoiceId, packageId: null }),
    entry: quarantineOf({ userId, ...resolution }),
  }
}

type Records = ReturnType<typeof newRecords>

async function write(store: CreditStore, { gone, customer, subscription, topup, purchase, entry }: Records) {
  await store.saveCustomer(gone, null)
  await store.deleteCustomer(gone)
  await store.saveCustomer(gone, null)
  await store.saveCustomer(customer, gone.customerId)
  await store.saveSubscription({ ...subscription, status: 'trialing', updatedAt: new Date(0) })
  await store.saveSubscription(subscription)
  await writeTopup(store, topup, { topupThreshold: 20, topupDue: true })
  await writePurchases(store, [purchase])
  await writeQuarantine(store, { ...entry, resolvedAt: null, resolvedBy: null, resolution: null })
  await writeQuarantine(store, entry)
}

async function read(store: CreditStore, { customer, subscription, topup, purchase, entry }: Records) {
  const now = new Date('2026-03-12T12:00:00Z')
  const after = { userId: topup.userId, creditType: 'c' }
  return {
    customer: await store.findCustomer(customer),
    subscription: await store.findSubscription(subscription.id),
    subscriptions: await store.listSubscriptions(subscription.userId),
    topups: await store.listTopups(topup.userId),
    dueTopups: (await store.findDueTopups({ now, openBefore: now, limit: 1, after })).filter(
      ({ userId }) => userId === topup.userId,
    ),
    purchase: await store.findPurchase({ invoiceId: purchase.invoiceId ?? '' }),
    purchases: await store.listInvoicePurchases(purchase.invoiceId ?? ''),
    pending: (
      await store.listPurchases({ statuses: ['pending'], from: new Date(0), to: now, limit: 1000, after: null })
    ).filter(({ id }) => id === purchase.id),
    entry: await store.findQuarantine(entry.id),
    entries: (await store.listQuarantine({ open: false, limit: 1000, after: null })).filter(
      ({ id }) => id === entry.id,
    ),
  }
}

const written = ({ customer, subscription, topup, purchase, entry }: Records) => ({
  ...{ customer, subscription, subscriptions: [subscription] },
  ...{ topups: [topup], dueTopups: [{ userId: topup.userId, creditType: 'calling' }] },
  ...{ purchase, purchases: [purchase], pending: [purchase] },
  ...{ entry, entries: [entry] },
})

const nothing = {
  ...{ customer: null, subscription: null, subscriptions: [], topups: [], dueTopups: [] },
  ...{ purchase: null, purchases: [], pending: [], entry: null, entries: [] },
}

describe.each(HOST_NAMES)("records about selling within a host's transaction: %s", (name) => {
  let host: Host
  beforeAll(async () => {
    host = await openHost(name, database.url)
    // PGlite makes its tables at the first use.
    await host.store.listTopups('nobody')
  })
  afterAll(() => host.end())

  it('are seen there, and by everybody once it is committed', async () => {
    const records = newRecords()
    await host.transaction(async (tx) => {
      const inside = host.store.within(tx)
      await write(inside, records)
      expect(await read(inside, records)).toEqual(written(records))
    })
    expect(await read(host.store, records)).toEqual(written(records))
  })

  it('are gone when it is rolled back', async () => {
    const records = newRecords()
    const changedMind = new RangeError('the host changed its mind')
    const rolledBack = host.transaction(async (tx) => {
      await write(host.store.within(tx), records)
      throw changedMind
    })
    await expect(rolledBack).rejects.toBe(changedMind)
    expect(await read(host.store, records)).toEqual(nothing)
  })
})
