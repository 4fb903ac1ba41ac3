import { describe, expect, it } from 'vitest'
import type { PaymentReversals } from '../../../src/ports/payments.js'
import { type Bench, bought, charged, last, ofKind, subscribed, there } from './bench.js'

export function testMoneyBack(bench: Bench): void {
  const { eventsOf } = bench
  const now = async (paymentId: string) => there(await bench.provider.getReversals(paymentId))
  /** What the last event said of the money that went back. */
  const toldBy = async (work: () => Promise<unknown>): Promise<PaymentReversals> =>
    last(ofKind(await eventsOf(work), 'payment_reversed')).reversals

  describe('money that went back', () => {
    it('is none at first', async () => {
      const { paymentId, purchaseId } = await bought(bench)
      const { chargeId, ...reversals } = await now(paymentId)
      expect(reversals).toEqual({
        ...{ paymentId, purchaseId, invoiceId: null },
        ...{ capturedMinor: 999, currency: 'usd', refunds: [], disputes: [], livemode: false },
      })
      expect(chargeId === null || chargeId !== '').toBe(true)
    })

    it('is told as an absolute picture: every refund so far, by each event', async () => {
      const { paymentId, purchaseId } = await bought(bench)
      const refundIds: string[] = []
      for (const count of [1, 2, 3]) {
        const told = await toldBy(async () => refundIds.push(await bench.act.refund(paymentId, { amount: 333 })))
        expect(told).toMatchObject({ paymentId, purchaseId, capturedMinor: 999, currency: 'usd' })
        expect(new Set(told.refunds.map(({ refundId }) => refundId))).toEqual(new Set(refundIds))
        expect(told.refunds).toHaveLength(count)
        expect(await now(paymentId)).toEqual(told)
      }
      const refund = { amountMinor: 333, currency: 'usd', status: 'succeeded', keepCredits: false }
      expect((await now(paymentId)).refunds).toEqual(refundIds.map(() => expect.objectContaining(refund) as object))
    })

    it('is told as it stands now, whichever event comes first', async () => {
      const { paymentId } = await bought(bench)
      await bench.act.loseWebhooks()
      const refundId = await bench.act.refund(paymentId, { amount: 400, status: 'pending' })
      await bench.act.updateRefund(refundId, 'succeeded')
      const disputeId = await bench.act.dispute(paymentId, { amount: 599, status: 'inquiry' })
      await bench.act.updateDispute(disputeId, 'open')
      const webhooks = await bench.act.takeWebhooks()
      const wanted = await now(paymentId)
      expect(wanted.refunds).toMatchObject([{ refundId, amountMinor: 400, status: 'succeeded' }])
      expect(wanted.disputes).toMatchObject([{ disputeId, amountMinor: 599, status: 'open' }])
      for (const { rawBody, signature } of [...webhooks].reverse()) {
        const event = await (await bench.provider.verifyWebhook(rawBody, signature)).translate()
        if (event?.kind === 'payment_reversed') expect(event.reversals).toEqual(wanted)
      }
    })

    it.each(['pending', 'succeeded', 'failed'] as const)('by a refund can be %s', async (status) => {
      const { paymentId } = await bought(bench)
      const refundId = await bench.act.refund(paymentId, { amount: 500, status })
      expect((await now(paymentId)).refunds).toEqual([
        { refundId, amountMinor: 500, currency: 'usd', status, keepCredits: false },
      ])
    })

    it('did not go back by a refund that fails later, and the event says so', async () => {
      const { paymentId } = await bought(bench)
      const refundId = await bench.act.refund(paymentId)
      expect((await now(paymentId)).refunds).toMatchObject([{ amountMinor: 999, status: 'succeeded' }])
      const told = await toldBy(() => bench.act.updateRefund(refundId, 'failed'))
      expect(told.refunds).toMatchObject([{ refundId, amountMinor: 999, status: 'failed' }])
    })

    it('was marked as goodwill by the merchant: money back, credits kept', async () => {
      const { paymentId } = await bought(bench)
      await bench.act.refund(paymentId, { amount: 100, keepCredits: true })
      expect((await now(paymentId)).refunds).toMatchObject([{ amountMinor: 100, keepCredits: true }])
    })

    it.each(['inquiry', 'open', 'won', 'lost', 'prevented'] as const)('by a dispute can be %s', async (status) => {
      const { paymentId } = await bought(bench)
      const disputeId = await bench.act.dispute(paymentId, { amount: 700, status: 'inquiry' })
      if (status !== 'inquiry') {
        const told = await toldBy(() => bench.act.updateDispute(disputeId, status))
        expect(told.disputes).toMatchObject([{ disputeId, status }])
      }
      expect((await now(paymentId)).disputes).toEqual([{ disputeId, amountMinor: 700, currency: 'usd', status }])
    })

    it('is disputed for all of it by default, and says so', async () => {
      const { paymentId } = await bought(bench)
      const told = await toldBy(() => bench.act.dispute(paymentId))
      expect(told.disputes).toMatchObject([{ amountMinor: 999, status: 'open' }])
    })

    it('is won late, after it was lost', async () => {
      const { paymentId } = await bought(bench)
      const disputeId = await bench.act.dispute(paymentId)
      await bench.act.updateDispute(disputeId, 'lost')
      const told = await toldBy(() => bench.act.updateDispute(disputeId, 'won'))
      expect(told.disputes).toMatchObject([{ disputeId, status: 'won' }])
    })

    it('is told of a payment from a saved card', async () => {
      const { payment, request } = await charged(bench, 'pays')
      const paymentId = there(payment.paymentId)
      const told = await toldBy(() => bench.act.refund(paymentId, { amount: 500 }))
      expect(told).toMatchObject({
        ...{ paymentId, purchaseId: request.purchaseId, invoiceId: null, capturedMinor: 2000 },
        ...{ refunds: [{ amountMinor: 500 }] },
      })
    })

    it('is told of the payment of an invoice, which it names', async () => {
      const { invoiceId } = await subscribed(bench)
      const paymentId = there(there(await bench.provider.getInvoice(invoiceId)).paymentId)
      const told = await toldBy(() => bench.act.refund(paymentId, { amount: 500 }))
      expect(told).toMatchObject({
        ...{ paymentId, purchaseId: null, invoiceId, capturedMinor: 1500, currency: 'usd' },
        ...{ refunds: [{ amountMinor: 500 }] },
      })
      expect(await now(paymentId)).toEqual(told)
    })

    it('is told in full, over any number of refunds', async () => {
      const { paymentId } = await bought(bench)
      for (let count = 0; count < 105; count += 1) await bench.act.refund(paymentId, { amount: 1 })
      const { refunds } = await now(paymentId)
      expect(new Set(refunds.map(({ refundId }) => refundId)).size).toBe(105)
    })

    it("means nothing of another app's payment", async () => {
      const { paymentId } = await bench.act.sellElsewhere()
      const events = await eventsOf(() => bench.act.refund(paymentId))
      expect(events).toEqual([])
      expect(await bench.provider.getReversals(paymentId)).toBeNull()
    })
  })
}
