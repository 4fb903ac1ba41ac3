import type { Purchase } from './ledger/purchase.js'
import type { CreditPackage } from './ports/package-store.js'
import type { PaymentProvider } from './ports/payments.js'

interface Sale {
  id: string
  userId: string
  pack: CreditPackage
  quantity: number
  origin: 'checkout' | 'topup'
  provider: PaymentProvider
  now: Date
}

/** What is being sold: a snapshot, so that later changes of the package change nothing about it. */
export function newPurchase({ id, userId, pack, quantity, origin, provider, now }: Sale): Purchase {
  return {
    id,
    userId,
    origin,
    creditType: pack.creditType,
    packageId: pack.id,
    packageName: pack.name,
    quantity,
    credits: pack.creditAmount * quantity,
    unitPriceMinor: pack.price,
    currency: pack.currency,
    status: 'pending',
    provider: provider.name,
    livemode: provider.livemode,
    sessionId: null,
    paymentId: null,
    chargeId: null,
    invoiceId: null,
    paidMinor: null,
    clawed: 0,
    withheld: 0,
    absorbed: 0,
    createdAt: now,
    updatedAt: now,
    fulfilledAt: null,
  }
}
