import { cardSaved, customerGone } from './cards.js'
import { newRowId } from './row-id.js'
import { fulfillCheckout } from './fulfillments.js'
import { INTERNAL_KEY_PREFIX } from './inputs.js'
import { settleInvoice, settleSubscription } from './invoices.js'
import type { PaymentEvent, VerifiedEvent } from './ports/payments.js'
import { settlePaymentReversals } from './reversals.js'
import { findOurPurchase, type Till } from './till.js'
import { settleTopupPayment } from './topups.js'

/** An event, and what else is known of its telling. */
interface Told<K extends PaymentEvent['kind']> {
  event: Extract<PaymentEvent, { kind: K }>
  eventId: string
  /** Before when the provider was asked for what the event says. */
  askedAt: Date
}

/** Payment event → what we do. Every row may run any number of times, in any order. */
const HANDLERS: { [K in PaymentEvent['kind']]: (till: Till, told: Told<K>) => Promise<unknown> } = {
  checkout: (till, { event }) => fulfillCheckout(till, event.checkout, event.failed),
  payment_succeeded: (till, { event }) => fulfillPayment(till, event),
  payment_failed: (till, { event, eventId }) => paymentFailed(till, event, eventId),
  payment_canceled: (till, { event }) => settleTopupPayment(till, event),
  payment_reversed: (till, { event }) => settlePaymentReversals(till, event.reversals),
  invoice: (till, { event }) => settleInvoice(till, event.invoice),
  subscription: (till, { event, askedAt }) => settleSubscription(till, event.subscription, askedAt),
  customer_deleted: (till, { event }) => customerGone(till, event.customerId),
  card_saved: (till, { event }) => cardSaved(till, event.customerId, event.savedAt),
}

/** Act on a verified event: translate it, handle it, note that it came. Throws when the provider should deliver again. */
export async function processPaymentEvent(till: Till, verified: VerifiedEvent): Promise<void> {
  const askedAt = till.clock()
  const event = await verified.translate()
  if (event !== null) await handle(till, { event, eventId: verified.eventId, askedAt })
  await till.store.recordWebhookEvent({
    id: verified.eventId,
    provider: till.provider.name,
    type: verified.type,
    livemode: verified.livemode,
    created: new Date(verified.created * 1000),
  })
}

async function handle(till: Till, told: Told<PaymentEvent['kind']>): Promise<void> {
  // The table's row for a kind takes that kind's event; TypeScript can't follow the pairing through the union.
  const handler = HANDLERS[told.event.kind] as (till: Till, told: Told<PaymentEvent['kind']>) => Promise<unknown>
  await handler(till, told)
}

/** A payment succeeded: if its checkout's own event got lost, or it has none, this one fulfils. */
async function fulfillPayment(
  till: Till,
  { paymentId, purchaseId }: { paymentId: string; purchaseId: string | null },
): Promise<void> {
  const purchase = await findOurPurchase(till.store, { paymentId, purchaseId })
  if (purchase === null || purchase.status === 'fulfilled' || purchase.status === 'refunded') return
  if (purchase.origin === 'topup') {
    await settleTopupPayment(till, { paymentId, purchaseId: purchase.id })
    return
  }
  const { provider } = till
  const checkout =
    purchase.sessionId === null
      ? await provider.findCheckoutByPayment(paymentId)
      : await provider.getCheckout(purchase.sessionId)
  if (checkout !== null) await fulfillCheckout(till, checkout)
}

/** An attempt to pay failed: say so, once per news of it. It changes nothing, since the buyer may try again. */
async function paymentFailed(
  till: Till,
  { paymentId, purchaseId, code, message }: Extract<PaymentEvent, { kind: 'payment_failed' }>,
  eventId: string,
): Promise<void> {
  const { store, commands, logger } = till
  logger.warn({ paymentId, purchaseId, code, message }, 'a payment failed; the buyer may try again')
  const purchase = await findOurPurchase(store, { paymentId, purchaseId })
  if (purchase === null) return
  if (purchase.origin === 'topup') {
    await settleTopupPayment(till, { paymentId, purchaseId: purchase.id })
    return
  }
  if (!commands.announces('paymentFailed', purchase)) return
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
