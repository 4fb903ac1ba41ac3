import { type Commands, newRowId } from './commands.js'
import { INTERNAL_KEY_PREFIX, isRowId } from './inputs.js'
import type { ClawbackPolicy, Reversal } from './ledger/clawback.js'
import type { State } from './ledger/decision.js'
import { type Fulfillment, fulfillPurchase, settleFacts } from './ledger/fulfillment.js'
import type { Posting } from './ledger/posting.js'
import type { PaymentFact, Purchase, QuarantineEntry } from './ledger/purchase.js'
import type { JsonObject } from './ledger/transaction.js'
import type { Logger } from './ports/logger.js'
import type { Checkout, PaymentEvent, PaymentProvider, PaymentReversals, VerifiedEvent } from './ports/payments.js'
import type { CreditStore } from './ports/store.js'

/** The tools one payment is processed with. */
export interface Till {
  store: CreditStore
  commands: Commands
  provider: PaymentProvider
  clawbackPolicy: ClawbackPolicy
  logger: Logger
}

/** Payment event → what we do. Every row may run any number of times, in any order. */
const HANDLERS: {
  [K in PaymentEvent['kind']]: (till: Till, event: Extract<PaymentEvent, { kind: K }>, eventId: string) => Promise<void>
} = {
  checkout: async (till, { checkout, failed }) => {
    await fulfillCheckout(till, checkout, failed)
  },
  payment_succeeded: fulfillPayment,
  payment_failed: announceFailure,
  payment_reversed: (till, { reversals }) => settlePaymentReversals(till, reversals),
}

/** Act on a verified event: translate it, handle it, note that it came. Throws when the provider should deliver again. */
export async function processPaymentEvent(till: Till, verified: VerifiedEvent): Promise<void> {
  const event = await verified.translate()
  if (event !== null) await handle(till, event, verified.eventId)
  await till.store.recordWebhookEvent({
    id: verified.eventId,
    provider: till.provider.name,
    type: verified.type,
    livemode: verified.livemode,
    created: new Date(verified.created * 1000),
  })
}

async function handle(till: Till, event: PaymentEvent, eventId: string): Promise<void> {
  // The table's row for a kind takes that kind's event; TypeScript can't follow the pairing through the union.
  const handler = HANDLERS[event.kind] as (till: Till, event: PaymentEvent, eventId: string) => Promise<void>
  await handler(till, event, eventId)
}

/**
 * The one way from a checkout to credits: webhook, success page, manual call and reconciliation all come here. Grants at
 * most once per purchase, what was sold. Returns the purchase as it is now; null: the checkout is not one of ours.
 */
export async function fulfillCheckout(till: Till, checkout: Checkout, failed = false): Promise<Purchase | null> {
  const { store, commands, provider, logger } = till
  const found = await findOurPurchase(store, checkout)
  if (found === null) {
    logger.debug(
      { sessionId: checkout.sessionId, purchaseId: checkout.purchaseId },
      'ignored a checkout that is not ours',
    )
    return null
  }
  const { metadataNames } = provider
  const metadata: JsonObject = { purchaseId: found.id, packageId: found.packageId, quantity: found.quantity }
  metadata[metadataNames.session] = checkout.sessionId
  metadata[metadataNames.payment] = checkout.paymentId
  const details = { referenceId: checkout.sessionId, referenceType: 'checkout_session', metadata, idempotencyKey: null }
  const { purchase, outcome } = await commands.run<Fulfillment>(
    store,
    {
      id: found.id,
      userId: found.userId,
      key: null,
      request: [],
      accounts: [found],
      purchases: [found],
      load: { grants: 'open', transactions: [found.id] },
    },
    (state, now) => {
      const { posting, purchase, facts } = lockedPurchase(commands, state, now)
      const result = fulfillPurchase(
        posting,
        { purchase, facts },
        { ...checkout, failed },
        details,
        reversalOf(till, purchase, facts),
      )
      return { result, ...written(posting, result, purchase), quarantine: quarantineEntry(result, checkout, now) }
    },
    // The purchase's transaction exists: it was fulfilled before.
    () => ({ purchase: found, outcome: { kind: 'unchanged' } }),
  )
  if (outcome.kind === 'quarantined') {
    logger.error(
      { purchaseId: purchase.id, sessionId: checkout.sessionId, reason: outcome.reason },
      'a paid checkout was quarantined',
    )
  }
  return outcome.kind === 'unchanged' ? store.findPurchase({ id: found.id }) : purchase
}

/** A payment succeeded: if its checkout's own event got lost, this one fulfils. */
async function fulfillPayment(
  till: Till,
  { paymentId, purchaseId }: { paymentId: string; purchaseId: string | null },
): Promise<void> {
  const purchase = await findOurPurchase(till.store, { paymentId, purchaseId })
  if (purchase === null || purchase.status === 'fulfilled' || purchase.status === 'refunded') return
  const { provider } = till
  const checkout =
    purchase.sessionId === null
      ? await provider.findCheckoutByPayment(paymentId)
      : await provider.getCheckout(purchase.sessionId)
  if (checkout !== null) await fulfillCheckout(till, checkout)
}

/** An attempt to pay failed: say so, once per news of it. It changes nothing, since the buyer may try again. */
async function announceFailure(
  till: Till,
  { paymentId, purchaseId, code, message }: Extract<PaymentEvent, { kind: 'payment_failed' }>,
  eventId: string,
): Promise<void> {
  const { store, commands, logger } = till
  logger.warn({ paymentId, purchaseId, code, message }, 'a payment failed; the buyer may try again')
  const purchase = await findOurPurchase(store, { paymentId, purchaseId })
  if (purchase === null || !commands.announces('paymentFailed', purchase)) return
  const key = `${INTERNAL_KEY_PREFIX}event:${eventId}`
  const command = { id: newRowId(), userId: purchase.userId, key, request: [], accounts: [purchase] }
  await commands.run(
    store,
    { ...command, load: { grants: { covering: 0 } } },
    ({ accounts: [account] }, now) => {
      const posting = commands.posting(account, now)
      const payload = { purchaseId: purchase.id, paymentId, failureCode: code, message }
      posting.announce({ kind: 'paymentFailed', payload })
      return { result: null, main: null, accounts: [posting.finish()] }
    },
    () => null,
  )
}

/** Bring a purchase's credits in line with all the money that went back for it so far. */
async function settlePaymentReversals(till: Till, reversals: PaymentReversals): Promise<void> {
  const { store, commands } = till
  const { paymentId, chargeId } = reversals
  const found = await findOurPurchase(store, reversals)
  if (found === null) return
  await commands.run(
    store,
    {
      id: newRowId(),
      userId: found.userId,
      key: null,
      request: [],
      accounts: [found],
      purchases: [found],
      load: { grants: 'open', transactions: [found.id] },
    },
    (state, now) => {
      const { posting, purchase, facts: known, history } = lockedPurchase(commands, state, now)
      const facts = mergeFacts(known, purchase, reversals, now)
      const ours = purchase.paymentId === null || purchase.paymentId === paymentId
      const seen = { ...purchase, chargeId: purchase.chargeId ?? (ours ? chargeId : null) }
      const settled = settleFacts(posting, seen, facts, history, reversalOf(till, seen, facts))
      const nothingNew =
        settled.clawed === purchase.clawed &&
        facts.every((fact) => known.some((other) => other.id === fact.id && other.status === fact.status))
      if (nothingNew && settled.status === purchase.status) return { result: null, main: null, accounts: [] }
      return { result: null, main: null, accounts: [posting.finish()], purchases: [settled], facts }
    },
    () => null,
  )
}

/** The purchase a payment names in its metadata, else the one we know its payment id of; null: not ours. */
export async function findOurPurchase(
  store: CreditStore,
  { purchaseId, paymentId }: { purchaseId: string | null; paymentId: string | null },
): Promise<Purchase | null> {
  if (purchaseId !== null) return isRowId(purchaseId) ? store.findPurchase({ id: purchaseId }) : null
  return paymentId === null ? null : store.findPurchase({ paymentId })
}

/** What the state holds for the one purchase and account a payment command names. */
function lockedPurchase(
  commands: Commands,
  { accounts: [account], purchases: [locked], transactions: [granted] }: State,
  now: Date,
) {
  if (locked === undefined) throw new Error('payments: the store did not load the purchase')
  return { posting: commands.posting(account, now), ...locked, history: granted?.related ?? [] }
}

function written(posting: Posting, { purchase, outcome }: Fulfillment, before: Purchase) {
  const main = outcome.kind === 'granted' ? outcome.transaction : null
  const changed = purchase !== before
  return { main, accounts: main === null ? [] : [posting.finish()], purchases: changed ? [purchase] : [] }
}

function quarantineEntry({ purchase, outcome }: Fulfillment, checkout: Checkout, now: Date): QuarantineEntry[] {
  if (outcome.kind !== 'quarantined') return []
  const { sessionId, paymentId, subtotalMinor, totalMinor, currency } = checkout
  const details = { sessionId, paymentId, subtotalMinor, totalMinor, currency }
  return [
    {
      id: newRowId(),
      userId: purchase.userId,
      purchaseId: purchase.id,
      reason: outcome.reason,
      details,
      createdAt: now,
    },
  ]
}

function reversalOf({ provider, clawbackPolicy }: Till, purchase: Purchase, facts: readonly PaymentFact[]): Reversal {
  const metadata: JsonObject = {
    purchaseId: purchase.id,
    reversals: facts.map(({ id, amountMinor, status }) => ({ id, amountMinor, status })),
  }
  metadata[provider.metadataNames.payment] = purchase.paymentId
  metadata[provider.metadataNames.charge] = purchase.chargeId
  const details = { referenceId: purchase.chargeId ?? purchase.paymentId, referenceType: 'payment_refund', metadata }
  return { policy: clawbackPolicy, newId: newRowId, details }
}

/** What the provider tells now replaces what we knew, refund by refund. */
function mergeFacts(
  known: readonly PaymentFact[],
  purchase: Purchase,
  { paymentId, refunds }: PaymentReversals,
  now: Date,
): PaymentFact[] {
  const told = refunds.map(({ refundId, amountMinor, currency, status }): PaymentFact => {
    return {
      id: refundId,
      userId: purchase.userId,
      purchaseId: purchase.id,
      paymentId,
      kind: 'refund',
      amountMinor,
      currency,
      status,
      updatedAt: now,
    }
  })
  return [...known.filter(({ id }) => !told.some((fact) => fact.id === id)), ...told]
}
