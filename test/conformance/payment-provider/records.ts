import { describe, expect, it } from 'vitest'
import type { TimeRange } from '../../../src/ports/payments.js'
import {
  type Bench,
  bought,
  charged,
  checkoutRequest,
  DAY,
  listed,
  offSessionRequest,
  ofKind,
  opened,
  SECOND,
  subscribed,
  there,
  wholeSecond,
} from './bench.js'

/** More than any service has on a page. */
const MANY = 105

export function testRecords(bench: Bench): void {
  const sessionIds = async (range: TimeRange) =>
    (await listed(bench.provider.records.checkouts(range))).map(({ sessionId }) => sessionId)
  const paymentIds = async (range: TimeRange) =>
    (await listed(bench.provider.records.payments(range))).map(({ paymentId }) => paymentId)
  const reversedIds = async (range: TimeRange) =>
    (await listed(bench.provider.records.reversals(range))).map(({ paymentId }) => paymentId)
  const invoiceIds = async (range: TimeRange) =>
    (await listed(bench.provider.records.invoices(range))).map(({ invoiceId }) => invoiceId)
  const eventIds = async (range: TimeRange) =>
    (await listed(bench.provider.records.undeliveredEvents(range))).map(({ eventId }) => eventId)

  /** All that is made by `work`, and nothing before or after it. */
  const during = async (work: () => Promise<unknown>): Promise<TimeRange> => {
    const from = await wholeSecond(bench)
    await work()
    return { from, to: await wholeSecond(bench) }
  }
  const many = async (work: (index: number) => Promise<unknown>) => {
    for (let index = 0; index < MANY; index += 1) await work(index)
  }
  /** Make two things, ten seconds apart; look from the first one's moment to the second one's, and past both. */
  const inTwoRanges = async (make: () => Promise<string>, list: (range: TimeRange) => Promise<(string | null)[]>) => {
    const from = await wholeSecond(bench)
    const first = await make()
    await bench.act.pass(10 * SECOND)
    const to = bench.act.now()
    const second = await make()
    const after = await wholeSecond(bench)
    const only = (ids: (string | null)[]) => ids.filter((id) => id === first || id === second)
    const found = {
      before: only(await list({ from: new Date(from.getTime() - DAY), to: from })),
      until: only(await list({ from, to })),
      since: only(await list({ from: to, to: after })),
      both: new Set(only(await list({ from, to: after }))),
    }
    expect(found).toEqual({ before: [], until: [first], since: [second], both: new Set([first, second]) })
  }

  describe('records of a range of time, half-open', () => {
    it('are finished checkout sessions', async () => {
      await inTwoRanges(async () => (await bought(bench)).sessionId, sessionIds)
    })

    it('are payments', async () => {
      await inTwoRanges(async () => there((await charged(bench, 'pays')).payment.paymentId), paymentIds)
    })

    it('are reversals, by when the refund or dispute was made', async () => {
      const [one, other] = [await bought(bench), await bought(bench)]
      const left = [one.paymentId, other.paymentId]
      const next = () => there(left.shift())
      await inTwoRanges(async () => {
        const paymentId = next()
        await bench.act.refund(paymentId, { amount: 1 })
        return paymentId
      }, reversedIds)
    })

    it('are paid invoices', async () => {
      await inTwoRanges(async () => (await subscribed(bench)).invoiceId, invoiceIds)
    })

    it('are events that were never delivered', async () => {
      const deleted = async (range: TimeRange) => {
        const found: (string | null)[] = []
        for (const event of await listed(bench.provider.records.undeliveredEvents(range))) {
          const translated = await event.translate()
          if (translated?.kind === 'customer_deleted') found.push(translated.customerId)
        }
        return found
      }
      await inTwoRanges(async () => {
        const { customerId } = await bench.newBuyer()
        await bench.act.takeWebhooks()
        await bench.act.deleteCustomer(customerId)
        await bench.act.loseWebhooks()
        return customerId
      }, deleted)
    })

    it('are nothing when nothing was made', async () => {
      const from = await wholeSecond(bench)
      await bench.act.pass(10 * SECOND)
      const range = { from: new Date(from.getTime() + SECOND), to: new Date(from.getTime() + 5 * SECOND) }
      const all = [sessionIds(range), paymentIds(range), reversedIds(range), invoiceIds(range), eventIds(range)]
      expect(await Promise.all(all)).toEqual([[], [], [], [], []])
    })
  })

  describe('records over page boundaries', () => {
    it('are any number of checkout sessions, each once', async () => {
      const made: string[] = []
      const buyer = await bench.newBuyer()
      const range = await during(() =>
        many(async () => {
          const { sessionId } = opened(await bench.provider.createCheckout(checkoutRequest(buyer)))
          await bench.act.pay(sessionId)
          made.push(sessionId)
        }),
      )
      expect([...(await sessionIds(range))].sort()).toEqual([...made].sort())
    })

    it('are any number of payments and of their reversals', async () => {
      const made: string[] = []
      const buyer = await bench.newBuyer()
      await bench.act.saveCard(buyer.customerId, 'pays')
      const range = await during(() =>
        many(async () => {
          const { paymentId } = await bench.provider.chargeOffSession(offSessionRequest(buyer))
          made.push(there(paymentId))
        }),
      )
      expect([...(await paymentIds(range))].sort()).toEqual([...made].sort())
      const reversed = await during(() => many((index) => bench.act.refund(there(made[index]), { amount: 100 })))
      expect(new Set(await reversedIds(reversed))).toEqual(new Set(made))
    })

    it('are any number of invoices, each once', async () => {
      const made: string[] = []
      const range = await during(async () => {
        const { subscriptionId, invoiceId } = await subscribed(bench)
        made.push(invoiceId)
        await many(async () => made.push(await bench.act.renew(subscriptionId)))
      })
      // Some services date an invoice by its period: these are of years.
      const years = { from: range.from, to: new Date(range.to.getTime() + 11 * 366 * DAY) }
      const found = (await invoiceIds(years)).filter((id) => made.includes(id))
      expect([...found].sort()).toEqual([...made].sort())
    })

    it('are any number of events that were never delivered, each once, oldest first', async () => {
      const made: string[] = []
      const range = await during(async () => {
        await bench.act.loseWebhooks()
        await many(async (index) => {
          const { customerId } = await bench.newBuyer()
          await bench.act.deleteCustomer(customerId)
          if (index % 50 === 0) await bench.act.pass(SECOND)
          made.push(customerId)
        })
        await bench.act.loseWebhooks()
      })
      const found: string[] = []
      const ids: string[] = []
      const times: number[] = []
      for await (const event of bench.provider.records.undeliveredEvents(range)) {
        ids.push(event.eventId)
        times.push(event.created)
        const translated = await event.translate()
        if (translated?.kind === 'customer_deleted') found.push(translated.customerId)
      }
      expect([...found].sort()).toEqual([...made].sort())
      expect(new Set(ids).size).toBe(ids.length)
      expect(times).toEqual([...times].sort((a, b) => a - b))
    })
  })

  describe('records hold', () => {
    it('sessions that are finished, as they stand now, and none that is open', async () => {
      const buyer = await bench.newBuyer()
      const open = opened(await bench.provider.createCheckout(checkoutRequest(buyer)))
      const range = await during(async () => {
        const paid = await bought(bench)
        const waiting = opened(await bench.provider.createCheckout(checkoutRequest(buyer)))
        await bench.act.payLater(waiting.sessionId)
        const still = opened(await bench.provider.createCheckout(checkoutRequest(buyer)))
        expect([paid.state, still.state, open.state]).toEqual(['paid', 'open', 'open'])
      })
      const found = await listed(bench.provider.records.checkouts(range))
      expect(found.map(({ state }) => state).sort()).toEqual(['paid', 'unpaid'])
      for (const checkout of found) expect(checkout).toEqual(await bench.provider.getCheckout(checkout.sessionId))
    })

    it("other apps' sessions, and no payments or reversals of theirs", async () => {
      let sold = { sessionId: '', paymentId: '' }
      const range = await during(async () => {
        sold = await bench.act.sellElsewhere()
        await bench.act.refund(sold.paymentId)
      })
      expect(await sessionIds(range)).toEqual([sold.sessionId])
      expect(await paymentIds(range)).toEqual([])
      expect(await reversedIds(range)).toEqual([])
    })

    it('payments that name our purchases, from checkouts and from saved cards, and none of invoices', async () => {
      const made: string[] = []
      const range = await during(async () => {
        made.push((await bought(bench)).paymentId)
        made.push(there((await charged(bench, 'pays')).payment.paymentId))
        await subscribed(bench)
      })
      const found = await listed(bench.provider.records.payments(range))
      expect(found.map(({ paymentId }) => paymentId).sort()).toEqual([...made].sort())
      for (const payment of found) expect(payment).toEqual(await bench.provider.getPayment(there(payment.paymentId)))
    })

    it('reversals by refunds and by disputes, of purchases and of invoices, as they stand now', async () => {
      const [refunded, disputed, { invoiceId }] = [await bought(bench), await bought(bench), await subscribed(bench)]
      const invoiced = there(there(await bench.provider.getInvoice(invoiceId)).paymentId)
      const range = await during(async () => {
        await bench.act.refund(refunded.paymentId, { amount: 100 })
        await bench.act.refund(refunded.paymentId, { amount: 200 })
        await bench.act.dispute(disputed.paymentId)
        await bench.act.refund(invoiced)
      })
      const found = await listed(bench.provider.records.reversals(range))
      expect(new Set(found.map(({ paymentId }) => paymentId))).toEqual(
        new Set([refunded.paymentId, disputed.paymentId, invoiced]),
      )
      for (const reversals of found) expect(reversals).toEqual(await bench.provider.getReversals(reversals.paymentId))
    })

    it('invoices that are paid, trials too, and none that is open', async () => {
      const made: string[] = []
      const range = await during(async () => {
        made.push((await subscribed(bench)).invoiceId, (await subscribed(bench, { trialDays: 7 })).invoiceId)
        const { subscriptionId, buyer } = await subscribed(bench)
        await bench.act.saveCard(buyer.customerId, 'soft')
        const open = await bench.act.renew(subscriptionId)
        expect((await bench.provider.getInvoice(open))?.status).toBe('open')
      })
      const found = await listed(bench.provider.records.invoices(range))
      expect(found.map(({ status }) => status)).toEqual(['paid', 'paid', 'paid'])
      expect(found.map(({ invoiceId }) => invoiceId)).toEqual(expect.arrayContaining(made))
      for (const invoice of found) expect(invoice).toEqual(await bench.provider.getInvoice(invoice.invoiceId))
    })

    it('events that were never delivered, which mean what their webhooks would have, and none that was', async () => {
      let purchase = { sessionId: '', paymentId: '', purchaseId: '' }
      const delivered: string[] = []
      const range = await during(async () => {
        await bench.act.takeWebhooks()
        await bought(bench)
        for (const { rawBody, signature } of await bench.act.takeWebhooks()) {
          delivered.push((await bench.provider.verifyWebhook(rawBody, signature)).eventId)
        }
        purchase = await bought(bench)
        await bench.act.loseWebhooks()
      })
      const found = await listed(bench.provider.records.undeliveredEvents(range))
      expect(found.map(({ eventId }) => eventId)).not.toEqual(expect.arrayContaining(delivered.slice(0, 1)))
      const meant = (await Promise.all(found.map((event) => event.translate()))).filter((event) => event !== null)
      const { sessionId, paymentId, purchaseId } = purchase
      expect(ofKind(meant, 'checkout').map(({ checkout }) => checkout.sessionId)).toEqual([sessionId])
      expect(ofKind(meant, 'payment_succeeded')).toEqual([{ kind: 'payment_succeeded', paymentId, purchaseId }])
    })
  })
}
