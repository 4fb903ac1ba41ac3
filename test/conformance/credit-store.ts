import { v4 as uuidv4 } from 'uuid'
import { afterAll, beforeAll, describe } from 'vitest'
import { CreditService } from '../../src/credit-service.js'
import type { CreditStore, UserIdType } from '../../src/ports/store.js'
import type { Bench } from './credit-store/bench.js'
import { testAnonymity } from './credit-store/anonymity.js'
import { testCommands } from './credit-store/commands.js'
import { testConcurrency } from './credit-store/concurrency.js'
import { testCustomers } from './credit-store/customers.js'
import { testDue } from './credit-store/due.js'
import { testFinding } from './credit-store/finding.js'
import { testFindingUsers } from './credit-store/finding-users.js'
import { testGrants } from './credit-store/grants.js'
import { testHistory } from './credit-store/history.js'
import { testHolds } from './credit-store/holds.js'
import { testIdempotency } from './credit-store/idempotency.js'
import { testInvoices } from './credit-store/invoices.js'
import { testItems } from './credit-store/items.js'
import { testLimits } from './credit-store/limits.js'
import { testOpenHolds } from './credit-store/open-holds.js'
import { testOutbox } from './credit-store/outbox.js'
import { testPackages } from './credit-store/packages.js'
import { testPaidSchedules } from './credit-store/paid-schedules.js'
import { testPurchases } from './credit-store/purchases.js'
import { testQuarantine } from './credit-store/quarantine.js'
import { testRefunds } from './credit-store/refunds.js'
import { testSchedules } from './credit-store/schedules.js'
import { testSpending } from './credit-store/spending.js'
import { testSpendingSides } from './credit-store/spending-sides.js'
import { testSubscriptions } from './credit-store/subscriptions.js'
import { testTopups } from './credit-store/topups.js'
import { testUsage } from './credit-store/usage.js'
import { testUserPurchases } from './credit-store/user-purchases.js'
import { testVerification } from './credit-store/verification.js'
import { testWrites } from './credit-store/writes.js'

/** What `testCreditStore` has to know of a host's database. Nothing where user ids are not checked against a table. */
export interface CreditStoreSuiteOptions {
  /** Makes a user, where the host's own table must know them first. Default: any id of the store's type. */
  newUser?: () => Promise<string>
}

/** The contract of `CreditStore`, run against every store. No skip list: a store that fails does not ship. */
export function testCreditStore(
  name: string,
  openStore: () => Promise<CreditStore>,
  { newUser }: CreditStoreSuiteOptions = {},
): void {
  describe(`CreditStore contract: ${name}`, () => {
    let store: CreditStore | undefined
    beforeAll(async () => {
      store = await openStore()
    })
    afterAll(() => store?.close())

    const bench: Bench = {
      get store() {
        if (store === undefined) throw new Error('testCreditStore: the store is not open')
        return store
      },
      newUser: newUser ?? (async () => newUserId(bench.store.userIdType)),
      credits: (clock, options) => new CreditService({ store: bench.store, cache: null, clock, ...options }),
    }
    testWrites(bench)
    testIdempotency(bench)
    testGrants(bench)
    testRefunds(bench)
    testHolds(bench)
    testOpenHolds(bench)
    testSchedules(bench)
    testLimits(bench)
    testHistory(bench)
    testUsage(bench)
    testConcurrency(bench)
    testSpending(bench)
    testSpendingSides(bench)
    testCommands(bench)
    testItems(bench)
    testVerification(bench)
    testFinding(bench)
    testFindingUsers(bench)
    testDue(bench)
    testOutbox(bench)
    testPackages(bench)
    testPurchases(bench)
    testUserPurchases(bench)
    testInvoices(bench)
    testPaidSchedules(bench)
    testCustomers(bench)
    testSubscriptions(bench)
    testQuarantine(bench)
    testTopups(bench)
    testAnonymity(bench)
  })
}

function newUserId(type: UserIdType): string {
  if (type === 'integer' || type === 'bigint') return String(1 + Math.floor(Math.random() * 2_147_483_646))
  return type === 'uuid' ? uuidv4() : `user-${uuidv4()}`
}
