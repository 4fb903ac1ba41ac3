import { newRowId } from './row-id.js'
import { type AutoTopup, isOldNews, resumeTopup, suspendTopup } from './ledger/auto-topup.js'
import type { Till } from './till.js'

/** A customer can be charged again, since `savedAt`: their automatic top-ups that had stopped before go on. */
export async function cardSaved(till: Till, customerId: string, savedAt: Date): Promise<void> {
  const { store, provider } = till
  const customer = await store.findCustomer({ provider: provider.name, livemode: provider.livemode, customerId })
  if (customer === null) return
  for (const topup of await store.listTopups(customer.userId)) {
    const hasStopped = topup.status === 'suspended' || topup.status === 'action_required'
    if (!hasStopped || isOldNews(topup, savedAt)) continue
    const open = topup.openPurchaseId === null ? null : await store.findPurchase({ id: topup.openPurchaseId })
    const totalMinor = open === null ? 0 : open.unitPriceMinor * open.quantity
    // So that the buyer is not asked for the same money twice. If it is paid after all, it counts.
    if (open?.paymentId) await provider.cancelPayment(open.paymentId)
    await changeTopup(till, topup, (current, now) => resumeTopup(current, totalMinor, savedAt, now))
  }
}

/** A customer was deleted at the provider: nothing can be charged any more. What they have bought stays. */
export async function customerGone(till: Till, customerId: string): Promise<void> {
  const { store, provider } = till
  const of = { provider: provider.name, livemode: provider.livemode, customerId }
  const customer = await store.findCustomer(of)
  if (customer === null) return
  for (const topup of await store.listTopups(customer.userId)) {
    await changeTopup(till, topup, (current, now) => suspendTopup(current, 'customer_deleted', now))
  }
  await store.deleteCustomer(of)
}

/** Change an automatic top-up under its account's lock; null leaves it as it is. */
export async function changeTopup(
  { store, commands }: Till,
  { userId, creditType }: Pick<AutoTopup, 'userId' | 'creditType'>,
  change: (current: AutoTopup, now: Date) => AutoTopup | null,
): Promise<void> {
  await commands.run<null>(
    store,
    {
      id: newRowId(),
      userId,
      key: null,
      request: [],
      accounts: [{ userId, creditType }],
      load: { grants: { covering: 0 }, topup: true },
    },
    ({ accounts: [account] }, now) => {
      const posting = commands.posting(account, now)
      const changed = posting.topup === null ? null : change(posting.topup, now)
      if (changed !== null) posting.saveTopup(changed)
      return { result: null, main: null, accounts: posting.touched ? [posting.finish()] : [] }
    },
    () => null,
  )
}
