import type { CachedBalance } from './scenarios/cached-balance.js'
import { ALONE, HOT, MANY, NAMES, REFUSED } from './scenarios/deducts.js'
import { GRANTS_ALONE, GRANTS_MANY, grantsName, OPEN_GRANTS } from './scenarios/grants.js'
import { GROWTH, sizeName, SIZES } from './scenarios/growth.js'
import { PGLITE_ALONE, PGLITE_MANY, PGLITE_NAMES } from './scenarios/pglite.js'
import type { Space } from './scenarios/space.js'
import type { Results } from './statistics.js'

/** A line of DESIGN section 8, with what was measured beside it. */
export interface Target {
  name: string
  target: string
  measured: string
  /** Null: not measured. */
  met: boolean | null
}

export interface Measured {
  results: Results
  space: Space
  cachedBalance: CachedBalance
  quick: boolean
}

export function targetsOf(measured: Measured): Target[] {
  return [
    ...deductTargets(measured),
    ...grantTargets(measured),
    ...peerTargets(measured),
    ...growthTargets(measured),
    ...pgliteTargets(measured),
    ...cacheTargets(measured),
    ...spaceTargets(measured),
  ]
}

function deductTargets({ results, space }: Measured): Target[] {
  const noPgbench = 'not measured: no pgbench on the PATH'
  const { coldRoundTrips, warmRoundTrips } = space
  const faster = (scenario: string, name: string) => results.ratio(scenario, 'opsPerSecond', NAMES.ours, name)
  return [
    atMost(
      // As the target was found: pgbench itself tells an average.
      "one deduct alone: p50 against pgbench's average",
      1.4,
      results.ratio(ALONE, 'p50Ms', NAMES.ours, NAMES.pgbench, 'averageMs'),
      noPgbench,
    ),
    {
      name: 'one deduct: round trips, in a cold process and later',
      target: '1, 1',
      measured: `${coldRoundTrips}, ${warmRoundTrips}`,
      met: coldRoundTrips === 1 && warmRoundTrips === 1,
    },
    atLeast('64 callers, 10,000 accounts: against pgbench', 1.8, faster(MANY, NAMES.pgbench), noPgbench),
    atLeast('64 callers, 10,000 accounts: against interactive Drizzle', 12, faster(MANY, NAMES.drizzle)),
    atLeast('64 callers, one hot account: against pgbench', 18, faster(HOT, NAMES.pgbench), noPgbench),
    atLeast('64 callers, one hot account: against interactive Drizzle', 45, faster(HOT, NAMES.drizzle)),
    atLeast('64 callers, empty hot account: refusals against interactive Drizzle', 8, faster(REFUSED, NAMES.drizzle)),
  ]
}

function grantTargets({ results }: Measured): Target[] {
  const [one = 1, ...more] = OPEN_GRANTS
  const slowest = (scenario: string): number | null =>
    worst(more.map((count) => results.ratio(scenario, 'p50Ms', grantsName(count), grantsName(one))))
  return [
    atMost('5 and 50 open grants against 1: p50 alone', 1.2, slowest(GRANTS_ALONE)),
    atMost('5 and 50 open grants against 1: p50 of 64 callers', 1.2, slowest(GRANTS_MANY)),
  ]
}

function peerTargets({ results }: Measured): Target[] {
  const faster = (scenario: string) => results.ratio(scenario, 'opsPerSecond', NAMES.oursKeys, NAMES.peer)
  return [
    atLeast('keyed deduct against stripe-no-webhooks: alone', 2.5, faster(ALONE)),
    atLeast('keyed deduct against stripe-no-webhooks: 64 callers', 8, faster(MANY)),
    atLeast('keyed deduct against stripe-no-webhooks: hot account', 30, faster(HOT)),
  ]
}

function growthTargets({ results, quick }: Measured): Target[] {
  const [small = 0] = SIZES.full
  const large = SIZES.full.at(-1) ?? 0
  const slower = (scenario: string) =>
    quick ? null : results.ratio(scenario, 'p50Ms', sizeName(large), sizeName(small))
  const pages = worst(GROWTH.pages.map(({ scenario }) => slower(scenario)))
  return [
    atMost('5 million rows against 10 thousand: one deduct', 1.2, slower(GROWTH.deduct)),
    atMost('5 million rows against 10 thousand: history page, newest to oldest', 2, pages),
    atMost('5 million rows against 10 thousand: usage, ordinary account', 2, slower(GROWTH.usage)),
    atMost('5 million rows against 10 thousand: usage, account with a tenth of them', 2, slower(GROWTH.usageOfHeavy)),
    atMost('5 million rows against 10 thousand: usage until now, the same account', 2, slower(GROWTH.recentUsage)),
  ]
}

function pgliteTargets({ results }: Measured): Target[] {
  const { ours, drizzle, select } = PGLITE_NAMES
  return [
    atMost('PGlite, one deduct: p50 against its own SELECT 1', 2, results.ratio(PGLITE_ALONE, 'p50Ms', ours, select)),
    atLeast(
      'PGlite, 64 callers: against interactive Drizzle',
      15,
      results.ratio(PGLITE_MANY, 'opsPerSecond', ours, drizzle),
    ),
  ]
}

function cacheTargets({ cachedBalance: { inProcess, redisCommands } }: Measured): Target[] {
  const commands = Object.entries(redisCommands ?? {})
  return [
    {
      name: 'cached getBalance in process: p99',
      target: '< 2 µs',
      measured: `${(inProcess.p99Ms * 1000).toFixed(2)} µs`,
      met: inProcess.p99Ms * 1000 < 2,
    },
    {
      name: 'cached getBalance in Redis: commands',
      target: '1 get',
      measured:
        redisCommands === null
          ? 'not measured: no redis-server on the PATH'
          : commands.map(([name, count]) => `${count} ${name}`).join(', '),
      met: redisCommands === null ? null : commands.length === 1 && redisCommands.get === 1,
    },
  ]
}

function spaceTargets({ space: { diskBytes, walBytesAlone } }: Measured): Target[] {
  return [
    bytesAtMost('keyed deduct: bytes on disk with all indexes', 500, diskBytes),
    bytesAtMost('keyed deduct: bytes of WAL, one caller', 1024, walBytesAlone),
  ]
}

function atMost(name: string, limit: number, ratio: number | null, reason = 'not measured in --quick'): Target {
  return { name, target: `≤ ${limit} ×`, measured: times(ratio, reason), met: ratio === null ? null : ratio <= limit }
}

function atLeast(name: string, limit: number, ratio: number | null, reason = 'not measured in --quick'): Target {
  return { name, target: `≥ ${limit} ×`, measured: times(ratio, reason), met: ratio === null ? null : ratio >= limit }
}

function bytesAtMost(name: string, limit: number, bytes: number): Target {
  return { name, target: `≤ ${limit} bytes`, measured: `${Math.round(bytes)} bytes`, met: bytes <= limit }
}

function times(ratio: number | null, reason: string): string {
  return ratio === null ? reason : `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`
}

/** The highest; null when one is missing. */
function worst(ratios: readonly (number | null)[]): number | null {
  const measured = ratios.filter((ratio) => ratio !== null)
  return measured.length === ratios.length ? Math.max(...measured) : null
}
