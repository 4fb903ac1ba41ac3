import { afterAll, beforeAll, describe } from 'vitest'
import type { OpenedPayments } from './payment-provider/acts.js'
import { benchOf } from './payment-provider/bench.js'
import { testCheckouts } from './payment-provider/checkouts.js'
import { testCustomers } from './payment-provider/customers.js'
import { testFaults } from './payment-provider/faults.js'
import { testInvoices } from './payment-provider/invoices.js'
import { testMoneyBack } from './payment-provider/money-back.js'
import { testOffSession } from './payment-provider/off-session.js'
import { testPages } from './payment-provider/pages.js'
import { testRecords } from './payment-provider/records.js'
import { testSubscriptions } from './payment-provider/subscriptions.js'
import { testUnknown } from './payment-provider/unknown.js'
import { testWebhooks } from './payment-provider/webhooks.js'

export type { Disturbance, OpenedPayments, PaymentActs, SavedCard, SignedWebhook } from './payment-provider/acts.js'

/**
 * The contract of `PaymentProvider`, run against every provider. No skip list: a provider that fails does not ship.
 *
 * `open` gives the provider and a payment service behind it in which things can be let happen: a sandbox, or a local
 * double of the real one. What has to be written for a new provider is `PaymentActs`.
 */
export function testPaymentProvider(name: string, open: () => Promise<OpenedPayments>): void {
  describe(`PaymentProvider contract: ${name}`, () => {
    let current: OpenedPayments | undefined
    beforeAll(async () => {
      current = await open()
    })
    afterAll(() => current?.close())

    const bench = benchOf(() => {
      if (current === undefined) throw new Error('testPaymentProvider: the provider is not open')
      return current
    })
    testCheckouts(bench)
    testCustomers(bench)
    testOffSession(bench)
    testMoneyBack(bench)
    testSubscriptions(bench)
    testInvoices(bench)
    testPages(bench)
    testWebhooks(bench)
    testRecords(bench)
    testFaults(bench)
    testUnknown(bench)
  })
}
