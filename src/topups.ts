import { changeTopup } from './cards.js'
import { createCheckout } from './checkouts.js'
import { newRowId } from './row-id.js'
import { isCreditError } from './errors.js'
import { paymentState, settlePayment } from './fulfillments.js'
import type { AccountKey } from './ledger/account.js'
import { type AutoTopup, claimTopup, settleTopup, suspendTopup, type TopupOutcome } from './ledger/auto-topup.js'
import type { Purchase } from './ledger/purchase.js'
import type { CreditPackage } from './ports/package-store.js'
import type { Payment } from './ports/payments.js'
import { newPurchase } from './purchases.js'
import type { Till } from './till.js'

/** The provider remembers a request for 24 hours; after that, repeating it would take the money a second time. */
const SAFE_TO_REPEAT_MS = 23 * 3_600_000

/** A payment that has not been heard of for so long is asked for. */
export const OPEN_TOO_LONG_MS = 60_000

/** Go on with an account's automatic top-up: settle the payment that is under way, else begin one if there is to be one. */
export async function runTopup(till: Till, account: AccountKey): Promise<void> {
  const topup = await topupOf(till, account)
  if (topup === null) return
  if (topup.openPurchaseId === null) await beginTopup(till, topup)
  else await settleOpen(till, topup)
}

async function topupOf({ store }: Till, { userId, creditType }: AccountKey): Promise<AutoTopup | null> {
  return (await store.listTopups(userId)).find((topup) => topup.creditType === creditType) ?? null
}

/** Claim in the database first, so that of any number of processes one pays. No transaction is open while it pays. */
async function beginTopup(till: Till, topup: AutoTopup): Promise<void> {
  const pack = await till.store.findPackage(topup.packageId)
  if (pack === null || !pack.isActive) {
    await changeTopup(till, topup, (current, now) => suspendTopup(current, 'package_inactive', now))
    return
  }
  const purchase = await claim(till, topup, pack)
  if (purchase !== null) await pay(till, purchase)
}

async function claim(
  { store, commands, provider }: Till,
  topup: AutoTopup,
  pack: CreditPackage,
): Promise<Purchase | null> {
  const { userId, creditType } = topup
  const id = newRowId()
  return commands.run<Purchase | null>(
    store,
    {
      id,
      userId,
      key: null,
      request: [],
      accounts: [{ userId, creditType }],
      load: { grants: { covering: 0 }, topup: true },
    },
    ({ accounts: [account] }, now) => {
      const posting = commands.posting(account, now)
      const current = posting.topup
      if (current === null || current.packageId !== pack.id) return { result: null, main: null, accounts: [] }
      const sale = { purchaseId: id, totalMinor: pack.price * current.quantity }
      const claimed = claimTopup(current, posting.account, sale, now)
      const changed = claimed.refusal === null || claimed.topup.retryAt !== current.retryAt
      if (changed) posting.saveTopup(claimed.topup)
      const accounts = posting.touched ? [posting.finish()] : []
      if (claimed.refusal !== null) return { result: null, main: null, accounts }
      const purchase = newPurchase({ id, userId, pack, quantity: current.quantity, origin: 'topup', provider, now })
      return { result: purchase, main: null, accounts, purchases: [purchase] }
    },
    // Our own retry after a lost answer: the payment is found, and settled, by the next run.
    () => null,
  )
}

async function pay(till: Till, purchase: Purchase): Promise<void> {
  const { id: purchaseId, userId, currency, packageName, unitPriceMinor, quantity } = purchase
  const { store, provider, logger } = till
  const customer = await store.findCustomer({ provider: provider.name, livemode: provider.livemode, userId })
  const amountMinor = unitPriceMinor * quantity
  try {
    const payment =
      customer === null
        ? nothingToPayWith(purchase)
        : await provider.chargeOffSession({
            purchaseId,
            userId,
            customerId: customer.customerId,
            amountMinor,
            currency,
            description: packageName,
          })
    await settle(till, purchase, payment)
  } catch (error) {
    if (!isCreditError(error)) throw error
    // It stays under way: the webhook settles it, or the next `runDue` asks again under the same name.
    logger.warn({ err: error, purchaseId, userId }, 'the outcome of an automatic top-up is not known yet')
  }
}

function nothingToPayWith({ id, currency, livemode }: Purchase): Payment {
  const failure = { kind: 'card_missing' as const, code: null, message: 'The user has no customer at the provider' }
  return {
    paymentId: null,
    purchaseId: id,
    state: 'failed',
    amountMinor: 0,
    currency,
    customerId: null,
    failure,
    livemode,
  }
}

/** Find out what became of a payment that was begun some time ago. */
async function settleOpen(till: Till, { openPurchaseId, openSince, userId, status }: AutoTopup): Promise<void> {
  const { store, provider } = till
  const purchase = openPurchaseId === null ? null : await store.findPurchase({ id: openPurchaseId })
  if (purchase === null || openSince === null) return
  const customer = await store.findCustomer({ provider: provider.name, livemode: provider.livemode, userId })
  const query = { purchaseId: purchase.id, since: new Date(openSince.getTime() - 3_600_000) }
  const payment = customer && (await provider.findPayment({ ...query, customerId: customer.customerId }))
  if (payment !== null) {
    await settle(till, purchase, payment)
    return
  }
  // It waits for its buyer, or for nobody any more.
  if (status === 'action_required') return
  const age = till.clock().getTime() - openSince.getTime()
  // Nobody is asked for money after they have switched it off.
  if (status !== 'off' && age < SAFE_TO_REPEAT_MS) await pay(till, purchase)
  else
    await settle(till, purchase, {
      ...nothingToPayWith(purchase),
      failure: { kind: 'not_tried', code: 'never_sent', message: null },
    })
}

/**
 * A top-up was switched off: its payment, should it wait for its buyer, is cancelled at the provider, so that nobody is asked
 * for it any more; what has been paid by now counts. False: there is none, or its answer is still to come.
 * @throws {UnavailableError} The provider can't be asked now; `runDue` settles it.
 */
export async function giveUpOpenPayment(till: Till, account: AccountKey): Promise<boolean> {
  const purchaseId = (await topupOf(till, account))?.openPurchaseId ?? null
  const purchase = purchaseId === null ? null : await till.store.findPurchase({ id: purchaseId })
  const paymentId = purchase?.paymentId ?? null
  if (paymentId === null) return false
  await till.provider.cancelPayment(paymentId)
  await settleTopupPayment(till, { paymentId, purchaseId })
  return true
}

/** News of a payment by its id: of an automatic top-up's, when it is one. */
export async function settleTopupPayment(
  till: Till,
  { paymentId, purchaseId }: { paymentId: string; purchaseId: string | null },
): Promise<void> {
  const purchase = purchaseId === null ? null : await till.store.findPurchase({ id: purchaseId })
  if (purchase?.origin !== 'topup') return
  const payment = await till.provider.getPayment(paymentId)
  if (payment !== null) await settle(till, purchase, payment)
}

async function settle(till: Till, purchase: Purchase, payment: Payment): Promise<void> {
  const outcome = outcomeOf(payment)
  const needsBuyer = outcome?.kind === 'failed' && outcome.failure === 'authentication_required'
  const known = needsBuyer ? await topupOf(till, purchase) : null
  const isNews = known?.status === 'active' || known?.status === 'suspended'
  const recoveryUrl = isNews ? await recoveryPage(till, purchase) : null
  const sale = { purchaseId: purchase.id, totalMinor: purchase.unitPriceMinor * purchase.quantity }
  await settlePayment(till, purchase, paymentState(payment), {
    also: (posting) => {
      const { topup, now } = posting
      const next = topup === null || outcome === null ? null : settleTopup(topup, sale, outcome, recoveryUrl, now)
      if (next === null) return
      posting.saveTopup(next)
      if (outcome?.kind !== 'failed' || next.status === 'off') return
      const { status, lastFailure: failureCode, retryAt } = next
      const payload = {
        purchaseId: purchase.id,
        status,
        failureCode,
        retryAt: retryAt?.toISOString() ?? null,
        recoveryUrl,
      }
      posting.announce({ kind: 'topupFailed', payload })
    },
  })
  if (outcome?.kind === 'failed' && outcome.failure === 'not_tried') {
    const { id: purchaseId, userId } = purchase
    till.logger.warn({ purchaseId, userId, failure: payment.failure }, 'an automatic top-up could not be asked for')
  }
  if (outcome?.kind !== 'paid') return
  // It was granted in another way before, by hand say: then the step above found it done, and did nothing.
  await changeTopup(till, purchase, (current, now) => settleTopup(current, sale, outcome, null, now))
}

function outcomeOf({ state, failure }: Payment): TopupOutcome | null {
  if (state === 'succeeded') return { kind: 'paid' }
  if (state === 'processing') return null
  const { kind, code } = failure ?? { kind: 'soft' as const, code: state }
  return { kind: 'failed', failure: kind, code }
}

/** Where the buyer can pay for it themselves, and save the card that they do it with. */
async function recoveryPage(till: Till, { userId, packageId, quantity }: Purchase): Promise<string | null> {
  if (packageId === null) return null
  try {
    const { checkoutUrl } = await createCheckout(till, { userId, packageId, quantity, saveCard: true })
    return checkoutUrl
  } catch (error) {
    if (!isCreditError(error)) throw error
    till.logger.warn({ err: error, userId }, 'no page could be opened for a top-up that its buyer has to confirm')
    return null
  }
}
