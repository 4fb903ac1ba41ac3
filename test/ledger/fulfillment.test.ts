import { describe, expect, it } from 'vitest'
import { emptyAccount } from '../../src/ledger/account.js'
import { fulfillPurchase, type PaymentState } from '../../src/ledger/fulfillment.js'
import { Posting } from '../../src/ledger/posting.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import { newRowId } from '../../src/row-id.js'

/* Which payment makes credits of which purchase, by the rule alone: also what a payment provider would never tell. */

const NOW = new Date('2026-05-01T10:00:00.000Z')
const SOLD: Purchase = {
  ...{ id: newRowId(), userId: 'ann', creditType: 'calling', origin: 'checkout', provider: 'stripe', livemode: true },
  ...{ packageId: 7, packageName: 'Starter', quantity: 2, credits: 200, unitPriceMinor: 999, currency: 'usd' },
  ...{ status: 'pending', sessionId: 'cs_1', paymentId: null, chargeId: null, invoiceId: null, paidMinor: null },
  ...{ clawed: 0, withheld: 0, absorbed: 0, createdAt: NOW, updatedAt: NOW, fulfilledAt: null },
}
const PAID: PaymentState = {
  ...{ state: 'paid', failed: false, mode: 'payment', sessionId: 'cs_1', paymentId: 'pi_1', currency: 'usd' },
  ...{ subtotalMinor: 1998, totalMinor: 1998, livemode: true },
}

function outcomeOf(payment: Partial<PaymentState>, purchase: Partial<Purchase> = {}) {
  const state = {
    grants: [],
    holds: [],
    schedules: [],
    limitCounts: [],
    topup: null,
    usable: 0,
    nextDueAt: null,
    history: null,
  }
  const account = emptyAccount({ userId: 'ann', creditType: 'calling' }, NOW)
  const posting = new Posting({ ...state, account }, NOW, newRowId)
  const details = { referenceId: null, referenceType: null, metadata: null, idempotencyKey: null }
  const { outcome } = fulfillPurchase(
    posting,
    { purchase: { ...SOLD, ...purchase }, facts: [] },
    { ...PAID, ...payment },
    details,
    { policy: 'debt', newId: newRowId, details },
  )
  return { kind: outcome.kind, available: posting.available, ...('reason' in outcome ? { why: outcome.reason } : {}) }
}

describe('a purchase', () => {
  it('becomes the credits that were sold when it is paid, also when promotion codes made it free', () => {
    expect(outcomeOf({})).toEqual({ kind: 'granted', available: 200 })
    expect(outcomeOf({ state: 'free', totalMinor: 0 })).toEqual({ kind: 'granted', available: 200 })
  })

  it.each<[why: string, payment: Partial<PaymentState>]>([
    ['test and live mode differ', { livemode: false }],
    ['paid in eur, sold in usd', { currency: 'eur' }],
    ['priced at 999, sold at 1998 (minor units)', { subtotalMinor: 999 }],
    ['priced at 1999, sold at 1998 (minor units)', { subtotalMinor: 1999 }],
    ['paid through another checkout session', { sessionId: 'cs_2' }],
  ])('is kept for a person to look at: %s', (why, payment) => {
    expect(outcomeOf(payment)).toEqual({ kind: 'quarantined', available: 0, why })
  })

  it.each<[what: string, kind: string, payment: Partial<PaymentState>, purchase?: Partial<Purchase>]>([
    ['not paid yet', 'moved', { state: 'unpaid' }],
    ['not paid at all', 'unchanged', { state: 'open', paymentId: null }],
    ['a payment of a subscription', 'unchanged', { mode: 'subscription' }],
    ['a card saved', 'unchanged', { mode: 'setup' }],
    ['granted before', 'unchanged', {}, { status: 'fulfilled' }],
    ['refunded before', 'unchanged', {}, { status: 'refunded' }],
    ['told again while a person looks', 'unchanged', { livemode: false }, { status: 'quarantined' }],
  ])('brings nothing when it is %s', (_what, kind, payment, purchase) => {
    expect(outcomeOf(payment, purchase)).toEqual({ kind, available: 0 })
  })
})
