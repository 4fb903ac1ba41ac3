import type { Commands } from './commands.js'
import { newRowId } from './row-id.js'
import { isRowId } from './inputs.js'
import type { ClawbackPolicy, Reversal } from './ledger/clawback.js'
import type { State } from './ledger/decision.js'
import type { Posting } from './ledger/posting.js'
import type { PaymentFact, Purchase } from './ledger/purchase.js'
import type { JsonObject, Transaction } from './ledger/transaction.js'
import type { Plans } from './plans.js'
import type { Logger } from './ports/logger.js'
import type { PaymentProvider } from './ports/payments.js'
import type { CreditStore } from './ports/store.js'

/** The tools payments are processed with. */
export interface Till {
  store: CreditStore
  commands: Commands
  provider: PaymentProvider
  plans: Pick<Plans<string>, 'byPrice' | 'plan' | 'creditTypes'>
  clawbackPolicy: ClawbackPolicy
  logger: Logger
  /** The injected time, or the machine's: for what is no decision about credits. */
  readonly clock: () => Date
}

/** The purchase a payment names in its metadata, else the one we know its payment id of; null: not ours. */
export async function findOurPurchase(
  store: CreditStore,
  { purchaseId, paymentId }: { purchaseId: string | null; paymentId: string | null },
): Promise<Purchase | null> {
  if (purchaseId !== null) return isRowId(purchaseId) ? store.findPurchase({ id: purchaseId }) : null
  return paymentId === null ? null : store.findPurchase({ paymentId })
}

/** A purchase under its lock, with its account. */
export interface LockedPurchase {
  posting: Posting
  purchase: Purchase
  facts: PaymentFact[]
  history: Transaction[]
}

/** What the state holds for the one purchase and account a payment command names. */
export function lockedPurchase(
  commands: Commands,
  { accounts: [account], purchases: [locked] }: State,
  now: Date,
): LockedPurchase {
  if (locked === undefined) throw new Error('payments: the store did not load the purchase')
  return { posting: commands.posting(account, now), ...locked }
}

/** How money that went back for a purchase is taken from its credits, and what the transactions say of it. */
export function reversalOf(
  { provider, clawbackPolicy }: Till,
  purchase: Purchase,
  facts: readonly PaymentFact[],
): Reversal {
  const { metadataNames } = provider
  const metadata: JsonObject = {
    purchaseId: purchase.id,
    reversals: facts.map(({ id, amountMinor, status }) => ({ id, amountMinor, status })),
  }
  metadata[metadataNames.payment] = purchase.paymentId
  metadata[metadataNames.charge] = purchase.chargeId
  if (purchase.invoiceId !== null) metadata[metadataNames.invoice] = purchase.invoiceId
  const details = { referenceId: purchase.chargeId ?? purchase.paymentId, referenceType: 'payment_refund', metadata }
  return { policy: clawbackPolicy, newId: newRowId, details }
}
