import { assertBooks, deductOne, openOurs, PLENTY, recordedUses } from '../contenders/creditkit.js'
import { copyAccount, tidy } from '../fill.js'
import { anyUser, type Contender, contenderHere, type Effort } from '../load.js'
import type { Results } from '../statistics.js'

export const OPEN_GRANTS = [1, 5, 50]
export const GRANTS_ALONE = 'one caller, 1,000 accounts with open grants'
export const GRANTS_MANY = '64 callers, 1,000 accounts with open grants'
const ACCOUNTS = 1_000
const DAY_MS = 86_400_000

export function grantsName(count: number): string {
  return `creditkit, ${count} open grant${count === 1 ? '' : 's'}`
}

/**
 * Accounts with so many grants that all end on different days. None is used up meanwhile: what is measured is the price of
 * having them.
 */
export async function openGrantContenders(url: string): Promise<{ count: number; contender: Contender }[]> {
  return Promise.all(
    OPEN_GRANTS.map(async (count) => {
      const ours = await openOurs(url, `bench_grants_${count}`)
      const { credits, pool, schema } = ours
      for (let n = 1; n <= count; n += 1) {
        const expiresAt = new Date(Date.now() + (30 + n) * DAY_MS)
        const amount = PLENTY / 100
        await credits.addCredits({
          userId: 'template',
          amount,
          description: 'Plenty',
          source: 'promotional',
          expiresAt,
        })
      }
      await copyAccount(pool, { schema, from: 'template', prefix: 'u', count: ACCOUNTS })
      await tidy(pool, schema)
      const contender = contenderHere(
        grantsName(count),
        (user) => deductOne(credits, user),
        () => recordedUses(ours),
        async () => {
          await assertBooks(credits, 'u1')
          await credits.close()
          await pool.end()
        },
      )
      return { count, contender }
    }),
  )
}

export async function grantsRound(
  contenders: readonly { count: number; contender: Contender }[],
  round: number,
  effort: Effort,
  results: Results,
): Promise<void> {
  const order = round % 2 === 0 ? contenders : contenders.toReversed()
  for (const [scenario, callers] of [[GRANTS_ALONE, 1] as const, [GRANTS_MANY, 64] as const]) {
    for (const { contender } of order) {
      const load = { callers, user: anyUser(ACCOUNTS), refused: false }
      results.add(scenario, contender.name, await contender.measure(load, effort))
    }
  }
  for (const { contender } of order) await contender.check()
}
