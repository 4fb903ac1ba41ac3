import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'

/*
 * Checked by `npm run typecheck`: every line below a `@ts-expect-error` must not compile, all others must.
 */

const guide = new CreditService({ store: memoryStore() })
const tokens = new CreditService({ store: memoryStore(), creditTypes: ['tokens'] })
const pack = { name: 'Pack', creditAmount: 1, price: 100 }

export const calls = [
  () => guide.deductCredits({ userId: 1, amount: 1, creditType: 'calling', description: 'call' }),
  () => guide.deductCredits(1, 1, 'calling', 'call'),
  // @ts-expect-error Not a configured credit type.
  () => guide.deductCredits({ userId: 1, amount: 1, creditType: 'tokens', description: 'call' }),
  // @ts-expect-error Not a configured credit type, positional.
  () => guide.deductCredits(1, 1, 'tokens', 'call'),
  // @ts-expect-error With several types, one must be named.
  () => guide.addCredits({ userId: 1, amount: 1, description: 'gift' }),
  // @ts-expect-error With several types, one must be named.
  () => guide.getBalance(1),
  // @ts-expect-error With several types, one must be named.
  () => guide.checkBalance(1, undefined, 5),
  // @ts-expect-error With several types, one must be named.
  () => guide.getUsageStats(1),
  // @ts-expect-error Not a configured credit type.
  () => guide.marketplace.createPackage({ ...pack, creditType: 'tokens' }),
  // @ts-expect-error Not a configured credit type.
  () => guide.marketplace.getPackages({ creditType: 'tokens' }),
  () => guide.getTransactionHistory(1, undefined, 10),
  () => guide.getUsageStats(1, 'calling', null, undefined),

  () => tokens.deductCredits({ userId: 1, amount: 1, description: 'answer' }),
  () =>
    tokens.deductCredits({ userId: 1, amount: 1, creditType: undefined, description: 'answer', idempotencyKey: null }),
  () => tokens.getBalance(1),
  () => tokens.checkBalance(1, undefined, 5),
  () => tokens.getUsageStats(1, undefined, new Date()),
  () => tokens.marketplace.createPackage(pack),
  async () => (await tokens.getAllBalances(1)).tokens.balance,
]

/** Credit types are what `creditTypes` says, not what limits, prices and plans happen to name. */
const partly = new CreditService({
  limits: { calling: [{ max: 1, per: 'day' }] },
  operations: { call: { creditType: 'calling', cost: 1 } },
  plans: { free: { grants: [{ creditType: 'calling', amount: 1, every: 'day' }] } },
})
export const namedElsewhere = () => partly.getBalance(1, 'scraping')

export type NoSuchBalance =
  // @ts-expect-error Not a configured credit type.
  Awaited<ReturnType<typeof tokens.getAllBalances>>['calling']
