import { barePg } from '../contenders/bare-pg.js'
import { creditkit } from '../contenders/creditkit.js'
import { drizzleTransaction } from '../contenders/drizzle-transaction.js'
import { pgbench, pgbenchVersion } from '../contenders/pgbench.js'
import { stripeNoWebhooks } from '../contenders/stripe-no-webhooks.js'
import { anyUser, type Contender, type Effort, type Load } from '../load.js'
import type { Results } from '../statistics.js'

export const ALONE = 'one caller, 10,000 accounts'
export const MANY = '64 callers, 10,000 accounts'
export const HOT = '64 callers, one hot account'
export const REFUSED = '64 callers, empty hot account'

export const NAMES = {
  ours: 'creditkit',
  oursKeys: 'creditkit, keys',
  oursSingle: 'creditkit, batching: false',
  pgbench: 'pgbench, minimal statement',
  drizzle: 'interactive Drizzle transaction',
  peer: 'stripe-no-webhooks, keys',
}

const LOADS: { scenario: string; load: () => Load; only?: readonly string[] }[] = [
  { scenario: ALONE, load: () => ({ callers: 1, user: anyUser(), refused: false }) },
  { scenario: MANY, load: () => ({ callers: 64, user: anyUser(), refused: false }) },
  { scenario: HOT, load: () => ({ callers: 64, user: () => 'hot', refused: false }) },
  {
    scenario: REFUSED,
    load: () => ({ callers: 64, user: () => 'empty', refused: true }),
    // The others refuse nothing, or have nothing to say about it.
    only: [NAMES.ours, NAMES.oursKeys, NAMES.oursSingle, NAMES.drizzle],
  },
]

export async function openContenders(url: string): Promise<Contender[]> {
  const contenders = [
    ...(pgbenchVersion() === null ? [] : [await pgbench(url)]),
    await barePg(url),
    await creditkit(url, { name: NAMES.ours, schema: 'bench_ours' }),
    await creditkit(url, { name: NAMES.oursKeys, schema: 'bench_ours_keys', keys: true }),
    await drizzleTransaction(url),
    await stripeNoWebhooks(url),
    await creditkit(url, { name: NAMES.oursSingle, schema: 'bench_ours_single', batching: false }),
  ]
  for (const contender of contenders) await contender.check()
  return contenders
}

/** Everybody does every load once, one after another; every other round in the opposite order. */
export async function deductRound(
  contenders: readonly Contender[],
  round: number,
  effort: Effort,
  results: Results,
): Promise<void> {
  const order = round % 2 === 0 ? contenders : contenders.toReversed()
  for (const { scenario, load, only } of LOADS) {
    const able = order.filter(({ name }) => only === undefined || only.includes(name))
    for (const contender of able) results.add(scenario, contender.name, await contender.measure(load(), effort))
    for (const contender of able) await contender.check()
  }
}
