import { assertBooks, deductOne, type Ours, openOurs, PLENTY, recordedUses } from '../contenders/creditkit.js'
import { copyAccount, tidy } from '../fill.js'
import { anyUser, closedLoop, type Effort } from '../load.js'
import type { Results } from '../statistics.js'

/** Rows of the ledger. */
export const SIZES = { quick: [10_000, 50_000], full: [10_000, 1_000_000, 5_000_000] }

const ACCOUNTS = 1_000
const DAY_MS = 86_400_000

export const GROWTH = {
  deduct: 'growth: one deduct',
  pages: ['newest', 'middle', 'oldest'].map((depth) => ({ depth, scenario: `growth: history page, ${depth}` })),
  usage: 'growth: usage of a month, ordinary account',
  usageOfHeavy: 'growth: usage of a month, an account with a tenth of all rows',
  /** Begins within a day and ends with what has just happened. */
  recentUsage: 'growth: usage of the last 30 days, the same account',
}

export function sizeName(rows: number): string {
  return `creditkit, ${rows.toLocaleString('en')} rows`
}

interface Grown {
  ours: Ours
  rows: number
  /** Cursors of the pages measured, by depth. */
  cursors: (string | null)[]
  uses: number
}

/** How many transactions an account has, beside the one that gave it its credits. */
function perAccount(rows: number): { ordinary: number; heavy: number } {
  const heavy = rows / 10
  return { ordinary: (rows - heavy) / ACCOUNTS - 1, heavy: heavy - 1 }
}

/**
 * A ledger as a year of use leaves it: a thousand accounts with nine tenths of the rows, and one with the rest, in the order
 * of time. `verify` agrees that the books add up.
 */
export async function grow(url: string, rows: number): Promise<Grown> {
  const ours = await openOurs(url, `bench_growth_${rows}`)
  const { pool, credits, schema } = ours
  await credits.addCredits({ userId: 'heavy', amount: PLENTY, description: 'Plenty' })
  await copyAccount(pool, { schema, from: 'heavy', prefix: 'u', count: ACCOUNTS })
  const { ordinary, heavy } = perAccount(rows)
  const perStep = Math.ceil(heavy / ordinary)
  await pool.query(
    `update ${schema}.credit_transactions set created_at = now() - interval '366 days';
    update ${schema}.credit_grants set created_at = now() - interval '366 days';
    insert into ${schema}.credit_transactions (seq, amount, balance_after, created_at, id, grant_id, user_id, credit_type,
        transaction_type, description)
      select 1 + n, -1, ${PLENTY} - n, at, uuidv7(at - now()), head_grant_id, user_id, credit_type, 'usage', 'Enriched a lead'
      from generate_series(1, ${ordinary}) step
      cross join lateral (select now() - interval '365 days' * (1 - step / ${ordinary}::float8) as at) moment
      cross join lateral (
        select step as n, a.* from ${schema}.user_credits a where user_id <> 'heavy'
        union all
        select n, a.* from ${schema}.user_credits a,
          generate_series((step - 1) * ${perStep} + 1, least(step * ${perStep}, ${heavy})) n where user_id = 'heavy'
      ) uses;
    update ${schema}.user_credits a set balance = balance - used, head_remaining = head_remaining - used,
      total_used = total_used + used, seq = seq + used, version = version + used
      from (select user_id, case when user_id = 'heavy' then ${heavy} else ${ordinary} end as used
        from ${schema}.user_credits) u where u.user_id = a.user_id`,
  )
  // What a host's clock calls every minute; among others, it sums usage up by day.
  while (!(await credits.runDue({ deadlineMs: 60_000 })).finished);
  await tidy(pool, schema)
  await assertBooks(credits, 'u1')
  return { ours, rows, cursors: [null, ...(await cursorsOf(ours, heavy))], uses: await recordedUses(ours) }
}

/** Of the page in the middle, and of the last one: by turning all pages, since cursors are opaque. */
async function cursorsOf({ credits }: Ours, rows: number): Promise<string[]> {
  const places = [Math.floor(rows / 2), rows - 100]
  const found: string[] = []
  let cursor: string | null = null
  for (let seen = 0; found.length < places.length;) {
    const page: { transactions: unknown[]; nextCursor: string | null } = await credits.listTransactions({
      userId: 'heavy',
      creditType: 'tokens',
      limit: 100,
      cursor,
    })
    seen += page.transactions.length
    cursor = page.nextCursor
    if (cursor === null) throw new Error(`The history ended after ${seen} transactions of ${rows}`)
    while (seen >= (places[found.length] ?? Infinity)) found.push(cursor)
  }
  return found
}

export async function growthRound(
  grown: readonly Grown[],
  round: number,
  effort: Effort,
  results: Results,
): Promise<void> {
  const order = round % 2 === 0 ? grown : grown.toReversed()
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const month = { from: new Date(today - 60 * DAY_MS), to: new Date(today - 30 * DAY_MS) }
  const measure = async (scenario: string, call: (size: Grown, user: () => string) => Promise<unknown>) => {
    for (const size of order) {
      const user = anyUser(ACCOUNTS)
      results.add(scenario, sizeName(size.rows), await closedLoop(() => call(size, user), 1, effort))
    }
  }
  await measure(GROWTH.deduct, async (size, user) => {
    if (!(await deductOne(size.ours.credits, user()))) throw new Error('growth: a deduction was refused')
    size.uses += 1
  })
  for (const [depth, { scenario }] of GROWTH.pages.entries()) {
    await measure(scenario, async ({ ours, cursors }) => {
      const cursor = cursors[depth] ?? null
      const query = { userId: 'heavy', creditType: 'tokens' as const, limit: 50, cursor }
      const { transactions } = await ours.credits.listTransactions(query)
      if (transactions.length !== 50) throw new Error(`growth: a page of ${transactions.length}`)
    })
  }
  await measure(GROWTH.usage, ({ ours }, user) => ours.credits.getUsageStats(user(), 'tokens', month.from, month.to))
  await measure(GROWTH.usageOfHeavy, async ({ ours }) => {
    const { totalUsed } = await ours.credits.getUsageStats('heavy', 'tokens', month.from, month.to)
    if (totalUsed === 0) throw new Error('growth: nothing was used in a month')
  })
  await measure(GROWTH.recentUsage, async ({ ours }) => {
    const { totalUsed } = await ours.credits.getUsageStats('heavy', 'tokens', new Date(Date.now() - 30 * DAY_MS))
    if (totalUsed === 0) throw new Error('growth: nothing was used in 30 days')
  })
}

export async function closeGrown(grown: readonly Grown[]): Promise<void> {
  for (const { ours, uses, rows } of grown) {
    const found = await recordedUses(ours)
    if (found !== uses) throw new Error(`growth, ${rows} rows: ${found} uses are recorded, ${uses} were acknowledged`)
    await assertBooks(ours.credits, 'u2')
    await ours.credits.close()
    await ours.pool.end()
  }
}
