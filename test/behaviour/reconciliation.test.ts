import { expect, it } from 'vitest'
import { OutcomeUnknownError } from '../../src/errors.js'
import type { Finding, ReconcileReport } from '../../src/index.js'
import type { PaymentReversals, VerifiedEvent } from '../../src/ports/payments.js'
import { onEveryStore } from './stage.js'
import { type Subscriber, subscriber } from './subscribing.js'
import { quiet } from './topping-up.js'

const FROM = new Date('2026-03-10T12:00:00.000Z')
const UNTIL = new Date('2026-04-10T12:00:00.000Z')
const RANGE = { from: new Date('2026-03-10T00:00:00.000Z'), to: new Date('2026-03-11T00:00:00.000Z') }

/** The provider has these on record, on the day that is looked at; the days before are empty. */
async function* onDay<R>({ from }: { from: Date }, records: readonly R[]): AsyncGenerator<R> {
  if (from.getTime() === RANGE.from.getTime()) yield* records
}

async function reconcile({ credits, till }: Subscriber, apply: boolean): Promise<ReconcileReport> {
  till.records.invoices = (range) => onDay(range, [...till.invoices.values()])
  return credits.marketplace.reconcile({ ...RANGE, apply })
}

const summary = ({ kind, reference, repaired }: Finding): string => `${kind} ${reference} ${repaired}`

onEveryStore('reconciliation', (open) => {
  it('says of an invoice that it can not be handled, and repairs the others', async () => {
    const buyer = subscriber(open(), { logger: quiet })
    const { till, bill, credits, userId } = buyer
    const broken = bill([{ from: FROM, until: UNTIL, itemId: 'si_broken' }])
    const lost = bill([{ from: FROM, until: UNTIL }])
    const getReversals = till.getReversals.bind(till)
    till.getReversals = async (paymentId) => {
      if (paymentId === broken.paymentId) throw new Error('Database error 21000')
      return getReversals(paymentId)
    }
    const report = await reconcile(buyer, true)
    expect(report.findings.map(summary)).toEqual([
      `not_handled ${broken.invoiceId} false`,
      `paid_not_granted ${lost.invoiceId} true`,
    ])
    expect(report.isClean).toBe(false)
    expect(await credits.getBalance(userId, 'calling')).toBe(200)
  })

  it('stops when the provider can not be asked, since nothing can be said then', async () => {
    const buyer = subscriber(open(), { logger: quiet })
    buyer.till.records.invoices = () => {
      throw new OutcomeUnknownError('no answer')
    }
    await expect(buyer.credits.marketplace.reconcile(RANGE)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  it('says of a lost event that it could not be handled', async () => {
    const buyer = subscriber(open(), { logger: quiet })
    const eventId = `evt_${buyer.userId}`
    const event: VerifiedEvent = {
      ...{ eventId, type: 'invoice.paid', livemode: false, created: 0 },
      translate: () => Promise.reject(new OutcomeUnknownError('no answer')),
    }
    buyer.till.records.undeliveredEvents = async function* () {
      yield event
    }
    const { findings, isClean } = await buyer.credits.marketplace.reconcile({ ...RANGE, apply: true })
    expect(findings.map(summary)).toEqual([`not_handled ${eventId} false`])
    expect(isClean).toBe(false)
  })

  it('takes what went back of each of two payments of one invoice, and then finds nothing more', async () => {
    const buyer = subscriber(open(), { logger: quiet })
    const { till, pay, credits, userId } = buyer
    const invoice = await pay([{ from: FROM, until: UNTIL }])
    const pictures = ['first', 'second'].map((which): PaymentReversals => {
      const paymentId = which === 'first' ? (invoice.paymentId ?? '') : `${invoice.paymentId}_second`
      const refund = { refundId: `re_${paymentId}`, amountMinor: 500, currency: 'usd', status: 'succeeded' as const }
      return {
        ...{ paymentId, chargeId: null, purchaseId: null, invoiceId: invoice.invoiceId, capturedMinor: 500 },
        ...{ currency: 'usd', refunds: [{ ...refund, keepCredits: false }], disputes: [], livemode: false },
      }
    })
    till.getReversals = async (id) => pictures.find(({ paymentId }) => paymentId === id) ?? null
    const ofDay = (count: number): void => {
      till.records.reversals = (range) => onDay(range, pictures.slice(2 - count))
    }
    ofDay(1)
    expect((await reconcile(buyer, false)).findings).toMatchObject([{ kind: 'under_clawed', credits: 50 }])
    expect((await reconcile(buyer, true)).findings).toMatchObject([{ kind: 'under_clawed', repaired: true }])
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    ofDay(2)
    expect((await reconcile(buyer, true)).findings).toMatchObject([{ credits: 50, repaired: true }])
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect((await reconcile(buyer, true)).findings).toEqual([])
  })
})
