import { memoryStore } from '../../adapters/memory/store.js'
import { type ClawbackPolicy, CreditService } from '../../src/index.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import { stoppedClock } from '../conformance/credit-store/bench.js'
import { PaperTill } from './paper-till.js'

export const BUYER = 'ann'

/** Somebody with an open checkout for `credits` at `price` minor units. */
export async function openCheckout({ credits: creditAmount, price, policy = 'debt' }: Sale) {
  const [store, till, clock] = [memoryStore(), new PaperTill(), stoppedClock()]
  const credits = new CreditService({ store, clock, payments: till, clawbackPolicy: policy })
  const { marketplace } = credits
  const pack = await marketplace.createPackage({ name: 'Pack', creditAmount, price, creditType: 'calling' })
  await marketplace.createCheckout({ userId: BUYER, packageId: pack.id })
  return {
    credits,
    till,
    clock,
    deliver: (kind: Parameters<PaperTill['event']>[0]) => marketplace.processEvent(till.event(kind)),
    balance: () => credits.getBalance(BUYER, 'calling'),
    purchase: async (): Promise<Purchase> => {
      const found = await store.findPurchase({ sessionId: 'cs_paper' })
      if (found === null) throw new Error('the purchase is not there')
      return found
    },
    history: async (): Promise<AccountHistory | undefined> => {
      const found: AccountHistory[] = []
      await store.scanAccounts({ userId: BUYER }, (history) => found.push(history))
      return found[0]
    },
  }
}

export interface Sale {
  credits: number
  /** Minor units. */
  price: number
  policy?: ClawbackPolicy
}
