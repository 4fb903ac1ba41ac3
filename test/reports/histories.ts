import { emptyAccount } from '../../src/ledger/account.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import type { Grant } from '../../src/ledger/grant.js'
import type { Hold } from '../../src/ledger/hold.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import type { Transaction } from '../../src/ledger/transaction.js'

/* Histories written by hand: rows with what matters to a test, on 10 March 2026. */

const KEY = { userId: 'ann', creditType: 'calling' }

/** A time of the day; with a day, of that day in March. */
export function time(clock: string, day = 10): Date {
  return new Date(`2026-03-${day}T${clock}:00.000Z`)
}

export function grant(id: string, terms: Partial<Grant> = {}): Grant {
  return {
    ...KEY,
    id,
    amount: 100,
    remaining: 0,
    held: 0,
    shortfall: 0,
    writtenOff: 0,
    open: false,
    effectiveAt: null,
    expiresAt: null,
    priority: 0,
    source: 'promotional',
    paidAmount: null,
    currency: null,
    purchaseId: null,
    scheduleId: null,
    voidedAt: null,
    noticedAt: null,
    seq: 1,
    createdAt: time('08:00'),
    ...terms,
  }
}

export type Posted = Pick<Transaction, 'transactionType' | 'amount' | 'createdAt' | 'allocations'> &
  Partial<Transaction>

export function hold(id: string, terms: Pick<Hold, 'amount' | 'allocations'> & Partial<Hold>): Hold {
  return {
    ...KEY,
    id,
    captured: 0,
    status: 'open',
    expiresAt: time('20:00'),
    description: 'Work',
    referenceId: null,
    referenceType: null,
    metadata: null,
    actor: null,
    request: null,
    createdAt: time('09:00'),
    updatedAt: time('09:00'),
    ...terms,
  }
}

/** Transactions are numbered and balanced in the order they are given in. */
export function history({
  grants = [],
  posted = [],
  holds = [],
  ...key
}: { grants?: Grant[]; posted?: Posted[]; holds?: Hold[] } & Partial<typeof KEY>): AccountHistory {
  const account = emptyAccount({ ...KEY, ...key }, time('08:00'))
  const transactions = posted.map((row): Transaction => {
    account.seq += 1
    account.balance += row.amount
    return {
      id: `${account.userId}-${account.creditType}-${account.seq}`,
      userId: account.userId,
      creditType: account.creditType,
      seq: account.seq,
      balanceAfter: account.balance,
      description: 'By hand',
      referenceId: null,
      referenceType: null,
      metadata: null,
      effectiveAt: null,
      idempotencyKey: null,
      request: null,
      relatedId: null,
      actor: null,
      ...row,
    }
  })
  return { account, grants, transactions, holds, schedules: [] }
}

export function purchase(id: string, terms: Partial<Purchase> = {}): Purchase {
  return {
    ...KEY,
    id,
    origin: 'checkout',
    packageId: 1,
    packageName: 'Pack',
    quantity: 1,
    credits: 100,
    unitPriceMinor: 999,
    currency: 'usd',
    status: 'fulfilled',
    provider: 'paper',
    livemode: false,
    sessionId: null,
    invoiceId: null,
    withheld: 0,
    paymentId: null,
    chargeId: null,
    paidMinor: 999,
    clawed: 0,
    absorbed: 0,
    createdAt: time('09:00'),
    updatedAt: time('09:00'),
    fulfilledAt: time('09:00'),
    ...terms,
  }
}
