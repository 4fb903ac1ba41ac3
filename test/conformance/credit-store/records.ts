import { v7 as uuidv7 } from 'uuid'
import type { Account, AccountKey } from '../../../src/ledger/account.js'
import type { AutoTopup } from '../../../src/ledger/auto-topup.js'
import type { PaymentFact, Purchase, QuarantineEntry } from '../../../src/ledger/purchase.js'
import type { CustomerRecord, SubscriptionRecord } from '../../../src/ports/purchase-store.js'
import type { Applied, Conflict, CreditStore, Replayed } from '../../../src/ports/store.js'
import { changesOf, newCommand, NOTHING, run } from './bench.js'

/* Rows about selling, in full; where nothing is said, the simplest there are. */

/** A purchase of 100 credits for 9.99 by `userId`, not written yet. */
export function purchaseOf(userId: string, change: Partial<Purchase> = {}): Purchase {
  const at = new Date('2026-03-10T12:00:00.123Z')
  return {
    id: uuidv7(),
    userId,
    creditType: 'calling',
    origin: 'checkout',
    packageId: 7,
    packageName: 'Small',
    quantity: 1,
    credits: 100,
    unitPriceMinor: 999,
    currency: 'eur',
    status: 'pending',
    provider: 'stripe',
    livemode: true,
    sessionId: null,
    paymentId: null,
    chargeId: null,
    invoiceId: null,
    paidMinor: null,
    clawed: 0,
    withheld: 0,
    absorbed: 0,
    createdAt: at,
    updatedAt: at,
    fulfilledAt: null,
    ...change,
  }
}

/** Write purchases and facts of one user, whole rows, under the purchases' locks. */
export async function writePurchases(
  store: CreditStore,
  purchases: Purchase[],
  facts: PaymentFact[] = [],
): Promise<void> {
  const command = newCommand([], { userId: purchases[0]?.userId ?? '', purchases })
  await run(store, command, () => ({ ...NOTHING, purchases, facts }))
}

/** An automatic top-up of the account, active and with nothing under way, not written yet. */
export function topupOf({ userId, creditType }: AccountKey, given: Partial<AutoTopup> = {}): AutoTopup {
  const at = new Date('2026-03-10T12:00:00.123Z')
  return {
    userId,
    creditType,
    threshold: 20,
    packageId: 7,
    quantity: 1,
    maxPerMonth: null,
    maxAmountMinor: null,
    status: 'active',
    openPurchaseId: null,
    openSince: null,
    failures: 0,
    retryAt: null,
    monthStart: new Date('2026-03-01T00:00:00Z'),
    monthCount: 0,
    monthMinor: 0,
    lastFailure: null,
    recoveryUrl: null,
    createdAt: at,
    updatedAt: at,
    ...given,
  }
}

/** Write a top-up with its account's row. */
export async function writeTopup(store: CreditStore, topup: AutoTopup, account: Partial<Account> = {}): Promise<void> {
  await run(store, newCommand([topup], { now: topup.updatedAt }), ({ accounts: [state] }) => {
    if (state === undefined) throw new Error('writeTopup: the account was not loaded')
    const row = { ...state.account, version: state.account.version + 1, ...account }
    return { ...NOTHING, accounts: [{ ...changesOf(row), topup }] }
  })
}

/** A payment nobody got credits for, not written yet. */
export function quarantineOf(given: Partial<QuarantineEntry> = {}): QuarantineEntry {
  return {
    id: uuidv7(),
    userId: null,
    purchaseId: null,
    invoiceId: null,
    reason: 'nobody knows whose it is',
    details: { amountMinor: 999, currency: 'eur', livemode: true, note: null },
    createdAt: new Date('2026-03-10T12:00:00.123Z'),
    resolvedAt: null,
    resolvedBy: null,
    resolution: null,
    ...given,
  }
}

/** Write entries by a decision that says nothing else. */
export function writeQuarantine(
  store: CreditStore,
  ...quarantine: QuarantineEntry[]
): Promise<Applied<unknown> | Replayed | Conflict> {
  return run(store, newCommand([], { userId: 'whoever' }), () => ({ ...NOTHING, quarantine }))
}

/** A user's customer at the provider, not saved yet. */
export function customerOf(userId: string, given: Partial<CustomerRecord> = {}): CustomerRecord {
  const at = new Date('2026-03-10T12:00:00.123Z')
  const base = { provider: 'stripe', livemode: true, customerId: `cus_${uuidv7()}`, createdAt: at, updatedAt: at }
  return { ...base, userId, ...given }
}

/** A user's subscription, not saved yet. */
export function subscriptionOf(userId: string, given: Partial<SubscriptionRecord> = {}): SubscriptionRecord {
  const at = new Date('2026-03-10T12:00:00.123Z')
  return {
    id: `sub_${uuidv7()}`,
    userId,
    provider: 'stripe',
    livemode: true,
    customerId: 'cus_1',
    status: 'active',
    items: [{ itemId: 'si_1', priceId: 'price_1', plan: 'pro', quantity: 2, periodEnd: '2026-04-10T12:00:00.000Z' }],
    cancelAtPeriodEnd: false,
    collectionPaused: false,
    endedAt: null,
    trialEndsAt: null,
    createdAt: at,
    updatedAt: at,
    ...given,
  }
}
