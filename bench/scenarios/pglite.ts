import { PGlite } from '@electric-sql/pglite'
import { CreditService } from 'creditkit'
import { pgliteStore } from 'creditkit/adapters/pglite'
import { drizzle } from 'drizzle-orm/pglite'
import { assertBooks, deductOne, PLENTY } from '../contenders/creditkit.js'
import { COUNT_TRANSACTIONS, deductInteractively, DRIZZLE_TABLES } from '../contenders/drizzle-transaction.js'
import { anyUser, closedLoop, type Contender, contenderHere, type Effort } from '../load.js'
import type { Results } from '../statistics.js'

export const PGLITE_ALONE = 'PGlite in memory, one caller'
export const PGLITE_MANY = 'PGlite in memory, 64 callers'
export const PGLITE_NAMES = {
  ours: 'creditkit',
  drizzle: 'interactive Drizzle transaction',
  select: "PGlite's own SELECT 1",
}

const ACCOUNTS = 20

export interface OpenPglite {
  pglite: PGlite
  ours: Contender
  drizzle: Contender
}

/** One embedded database for all, since two would share a core. */
export async function openPglite(): Promise<OpenPglite> {
  const pglite = await PGlite.create()
  const credits = new CreditService({ creditTypes: ['tokens'], store: pgliteStore({ client: pglite }), cache: null })
  for (let n = 1; n <= ACCOUNTS; n += 1)
    await credits.addCredits({ userId: `u${n}`, amount: PLENTY, description: 'Plenty' })
  await pglite.exec(DRIZZLE_TABLES)
  const db = drizzle(pglite)
  const count = async (statement: string): Promise<number> => {
    const { rows } = await pglite.query<{ uses: number }>(statement)
    return rows[0]?.uses ?? Number.NaN
  }
  const countOurs = `select count(*)::int as uses from creditkit.credit_transactions where transaction_type = 'usage'`
  return {
    pglite,
    ours: contenderHere(
      PGLITE_NAMES.ours,
      (user) => deductOne(credits, user),
      () => count(countOurs),
      async () => {
        await assertBooks(credits, 'u1')
        await credits.close()
      },
    ),
    drizzle: contenderHere(
      PGLITE_NAMES.drizzle,
      (user) => deductInteractively(db, user),
      () => count(COUNT_TRANSACTIONS),
      async () => undefined,
    ),
  }
}

export async function pgliteRound(
  { pglite, ours, drizzle }: OpenPglite,
  round: number,
  effort: Effort,
  results: Results,
): Promise<void> {
  for (const [scenario, callers] of [[PGLITE_ALONE, 1] as const, [PGLITE_MANY, 64] as const]) {
    const load = () => ({ callers, user: anyUser(ACCOUNTS), refused: false })
    const turns = [
      async () => results.add(scenario, ours.name, await ours.measure(load(), effort)),
      async () => results.add(scenario, drizzle.name, await drizzle.measure(load(), effort)),
      async () =>
        results.add(scenario, PGLITE_NAMES.select, await closedLoop(() => pglite.query('SELECT 1'), callers, effort)),
    ]
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn()
  }
  await ours.check()
  await drizzle.check()
}

export async function closePglite({ pglite, ours, drizzle }: OpenPglite): Promise<void> {
  await ours.close()
  await drizzle.close()
  await pglite.close()
}
