import { memoryPayments, testClock } from 'creditkit/testing'
import { type OpenedPayments, type SignedWebhook, testPaymentProvider } from 'creditkit/testing/conformance'

testPaymentProvider('in memory', async () => openMemory())

/** The calls that change something. */
const CHANGING = [
  ...['createCustomer', 'createCheckout', 'createSubscribeCheckout', 'createSaveCardCheckout', 'createPortalSession'],
  ...['chargeOffSession', 'cancelPayment', 'cancelSubscription'],
]

function openMemory(): OpenedPayments {
  const clock = testClock()
  const links = new Map<string, string>()
  const appUrl = 'https://app.example'
  const payments = memoryPayments({
    clock,
    appUrl,
    delivery: 'hold',
    customer: async (userId) => ({ id: links.get(userId) }),
  })
  let taken: SignedWebhook[] = []
  payments.registerEndpoint(async (request) => {
    const signature = request.headers.get(payments.signatureHeader) ?? ''
    taken.push({ rawBody: new Uint8Array(await request.arrayBuffer()), signature })
    return new Response(null, { status: 204 })
  })
  const sign = (rawBody: Uint8Array, ageSeconds = 0): SignedWebhook => {
    const signedAt = Math.floor(clock.now().getTime() / 1000) - ageSeconds
    return { rawBody, signature: payments.sign(rawBody, signedAt) }
  }

  return {
    provider: payments,
    otherMode: payments.otherMode(),
    withoutSecret: () => memoryPayments({ webhookSecret: null }),
    appUrl,
    close: () => payments.idle(),
    act: {
      now: () => clock.now(),
      pass: async (ms) => clock.advance(ms),
      pay: (sessionId, changes) => payments.complete(sessionId, 'paid', changes),
      payLater: (sessionId) => payments.complete(sessionId, 'unpaid'),
      settle: (sessionId, outcome) => payments.settle(sessionId, outcome),
      decline: (sessionId) => payments.complete(sessionId, 'declined'),
      expire: (sessionId) => payments.expire(sessionId),
      sellElsewhere: () => payments.sellElsewhere(),
      linkCustomer: async (userId) => {
        const customerId = payments.addCustomer()
        links.set(userId, customerId)
        return customerId
      },
      deleteCustomer: (customerId) => payments.deleteCustomer(customerId),
      saveCard: (customerId, card) => payments.saveCard(customerId, card),
      authenticate: (paymentId) => payments.authenticate(paymentId),
      refund: async (paymentId, refund) => (await payments.refund({ paymentId, ...refund })).refundId,
      updateRefund: (refundId, status) => payments.updateRefund(refundId, status),
      dispute: async (paymentId, dispute) => (await payments.dispute({ paymentId, ...dispute })).disputeId,
      updateDispute: (disputeId, status) => payments.updateDispute(disputeId, status),
      newPrice: async ({ monthly, ...price }) => payments.addPrice({ ...price, every: monthly ? 'month' : null }),
      archivePrice: async (priceId) => payments.archivePrice(priceId),
      renew: async (subscriptionId) => (await payments.renew(subscriptionId))?.invoiceId ?? '',
      changeQuantity: async (id, quantity) => (await payments.changeSubscription(id, { quantity })).invoiceId,
      pauseCollection: (id, isPaused) => payments.pauseCollection(id, isPaused),
      addToNextInvoice: async (subscriptionId, amount) => payments.addToNextInvoice(subscriptionId, amount),
      subscribeElsewhere: async (customerId, priceId) =>
        (await payments.subscribeElsewhere(customerId, priceId)).subscriptionId,
      payInvoice: (id, elsewhere = false) => payments.payInvoice(id, { outOfBand: elsewhere }),
      giveUpInvoice: (invoiceId) => payments.giveUpInvoice(invoiceId),
      takeWebhooks: async () => {
        taken = []
        await payments.deliver()
        return taken
      },
      loseWebhooks: async () => payments.discard(),
      sign: async (rawBody, ageSeconds) => sign(rawBody, ageSeconds),
      unknownEvent: async () => {
        const event = { id: 'event_1', type: 'weather.changed', livemode: false, created: 0, data: { id: 'sky' } }
        return sign(new TextEncoder().encode(JSON.stringify(event)))
      },
      disturbed: async (how, work) => {
        if (how !== 'loses_answers') payments.failNext({ times: Infinity, hang: how === 'hangs' })
        else for (const call of CHANGING) payments.failNext({ call, times: Infinity, afterEffect: true })
        return work().finally(() => payments.clearFailures())
      },
    },
  }
}
