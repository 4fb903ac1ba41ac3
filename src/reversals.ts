import { newRowId } from './row-id.js'
import { settleFacts } from './ledger/fulfillment.js'
import { clawbackTarget, countedFacts, isStepBack, type PaymentFact, type Purchase } from './ledger/purchase.js'
import type { PaymentReversals } from './ports/payments.js'
import { findOurPurchase, lockedPurchase, reversalOf, type Till } from './till.js'

/** How often a picture is asked for again that says less than what is known. */
const MAX_LOOKS = 3

/** Bring the credits of everything a payment paid for in line with all the money that went back for it so far. */
export async function settlePaymentReversals(till: Till, reversals: PaymentReversals): Promise<void> {
  for (const purchase of await purchasesOf(till, reversals)) await settlePurchase(till, purchase, reversals)
}

export async function purchasesOf({ store }: Till, reversals: PaymentReversals): Promise<Purchase[]> {
  if (reversals.invoiceId !== null) return store.listInvoicePurchases(reversals.invoiceId)
  const purchase = await findOurPurchase(store, reversals)
  return purchase === null ? [] : [purchase]
}

/**
 * Pictures are taken outside of the lock, so two of them may be written in the wrong order: a step back from what is known
 * counts only when a picture says so that was taken after we knew.
 */
async function settlePurchase(till: Till, purchase: Purchase, first: PaymentReversals): Promise<void> {
  let reversals = first
  let seen: readonly PaymentFact[] = []
  for (let look = 1; ; look += 1) {
    const newer = await writeReversals(till, purchase, reversals, look < MAX_LOOKS ? seen : null)
    if (newer === null) return
    seen = newer
    reversals = (await till.provider.getReversals(first.paymentId)) ?? first
  }
}

/** Returns what is known, and writes nothing, when it is ahead of the picture and was not `seen` before it was taken. */
async function writeReversals(
  till: Till,
  found: Purchase,
  reversals: PaymentReversals,
  seen: readonly PaymentFact[] | null,
): Promise<readonly PaymentFact[] | null> {
  const { store, commands } = till
  const { paymentId, chargeId } = reversals
  return commands.run<readonly PaymentFact[] | null>(
    store,
    {
      id: newRowId(),
      userId: found.userId,
      key: null,
      request: [],
      accounts: [found],
      purchases: [found],
      load: { grants: 'open', schedules: true },
    },
    (state, now) => {
      const { posting, purchase, facts: known, history } = lockedPurchase(commands, state, now)
      const facts = mergeFacts(known, purchase, reversals, now)
      const isSeen = ({ id, status }: PaymentFact): boolean =>
        seen === null || seen.some((fact) => fact.id === id && fact.status === status)
      const isAhead = known.some((fact) => {
        const told = facts.find(({ id }) => id === fact.id)
        return told !== undefined && isStepBack(fact.status, told.status) && !isSeen(fact)
      })
      if (isAhead) return { result: known, main: null, accounts: [] }
      const ours = purchase.paymentId === null || purchase.paymentId === paymentId
      const charged = { ...purchase, chargeId: purchase.chargeId ?? (ours ? chargeId : null) }
      const settled = settleFacts(posting, charged, facts, history, reversalOf(till, charged, facts))
      const nothingNew =
        settled.clawed === purchase.clawed &&
        facts.every((fact) => known.some((other) => other.id === fact.id && other.status === fact.status))
      if (nothingNew && settled.status === purchase.status) return { result: null, main: null, accounts: [] }
      return { result: null, main: null, accounts: [posting.finish()], purchases: [settled], facts }
    },
    () => null,
  )
}

/**
 * Credits that the money which went back for a purchase should have taken and has not; below 0: it took too many. Nothing is
 * written. Also by what is known of the invoice's other payments, of which this picture says nothing.
 */
export async function missingClawback(till: Till, found: Purchase, reversals: PaymentReversals): Promise<number> {
  const { store, commands } = till
  return commands.run<number>(
    store,
    {
      id: newRowId(),
      userId: found.userId,
      key: null,
      request: [],
      accounts: [found],
      purchases: [found],
      load: { grants: { covering: 0 } },
    },
    (state, now) => {
      const { purchase, facts: known } = lockedPurchase(commands, state, now)
      const facts = countedFacts(purchase, mergeFacts(known, purchase, reversals, now))
      const target =
        purchase.fulfilledAt === null ? 0 : clawbackTarget(purchase.credits, purchase.paidMinor ?? 0, facts)
      return { result: target - purchase.clawed, main: null, accounts: [] }
    },
    () => 0,
  )
}

/** What the provider tells now replaces what we knew, refund by refund and dispute by dispute. */
function mergeFacts(
  known: readonly PaymentFact[],
  purchase: Purchase,
  reversals: PaymentReversals,
  now: Date,
): PaymentFact[] {
  const told = toldFacts(purchase, reversals, now)
  return [...known.filter(({ id }) => !told.some((fact) => fact.id === id)), ...told]
}

/** What a picture says, as facts about a purchase. */
function toldFacts(
  { userId, id: purchaseId }: Purchase,
  { paymentId, refunds, disputes }: PaymentReversals,
  now: Date,
): PaymentFact[] {
  const common = { userId, purchaseId, paymentId, updatedAt: now }
  return [
    ...refunds.map(({ refundId: id, amountMinor, currency, status, keepCredits }): PaymentFact => {
      const waived = keepCredits && status !== 'failed'
      return { ...common, id, kind: 'refund', amountMinor, currency, status: waived ? 'waived' : status }
    }),
    ...disputes.map(({ disputeId: id, amountMinor, currency, status }): PaymentFact => {
      return { ...common, id, kind: 'dispute', amountMinor, currency, status }
    }),
  ]
}
