import type { CreditEvent, EventKind } from 'creditkit'

const about = { id: 'e1', userId: 'ann', creditType: 'enrichment', createdAt: new Date('2026-11-23T10:00:00Z') }
const moved = { transactionId: 't1', amount: 1250, description: 'Enriched leads', balance: 40 }

/** One event of each kind; a new kind is missing here, and the types say so. */
export const EVENTS: { [K in EventKind]: CreditEvent<K> } = {
  added: { ...about, kind: 'added', ...moved },
  deducted: { ...about, kind: 'deducted', ...moved, referenceId: null, referenceType: null },
  refunded: { ...about, kind: 'refunded', ...moved, refundedTransactionId: 't0' },
  held: { ...about, kind: 'held', holdId: 'h1', amount: 5, expiresAt: '2026-11-23T11:00:00.000Z', balance: 40 },
  expiringSoon: {
    ...{ ...about, kind: 'expiringSoon', grantId: 'g1', amount: 30 },
    ...{ expiresAt: '2026-12-01T00:00:00.000Z', balance: 40 },
  },
  expired: { ...about, kind: 'expired', ...moved },
  balanceLow: { ...about, kind: 'balanceLow', threshold: 50, balance: 40 },
  depleted: { ...about, kind: 'depleted', balance: 0 },
  limitReached: {
    ...{ ...about, kind: 'limitReached', max: 100, per: 'day', of: 'calls' },
    resetsAt: '2026-11-24T00:00:00.000Z',
  },
  purchaseFulfilled: {
    ...{ ...about, kind: 'purchaseFulfilled', ...moved },
    ...{ purchaseId: 'p1', paidMinor: 999, currency: 'usd' },
  },
  paymentFailed: {
    ...{ ...about, kind: 'paymentFailed', purchaseId: 'p1', paymentId: 'pi_1' },
    ...{ failureCode: 'card_declined', message: 'Your card was declined.' },
  },
  clawedBack: { ...about, kind: 'clawedBack', ...moved, debt: 10, balance: -10 },
  paymentQuarantined: { ...about, kind: 'paymentQuarantined', quarantineId: 'q1', purchaseId: null, reason: 'amount' },
  topupFailed: {
    ...{ ...about, kind: 'topupFailed', purchaseId: 'p1', status: 'action_required', failureCode: null },
    ...{ retryAt: null, recoveryUrl: 'https://pay.example.com/confirm' },
  },
}
