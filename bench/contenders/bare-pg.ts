import { type Contender, contenderHere } from '../load.js'
import { recordedUses } from './creditkit.js'
import { minimalDeduct, openOurTables } from './minimal-deduct.js'

/** The minimal statement through `pg`, prepared: what the driver alone costs. */
export async function barePg(url: string): Promise<Contender> {
  const schema = 'bench_pg'
  const pool = await openOurTables(url, schema)
  const statement = { name: 'minimal_deduct', text: minimalDeduct(schema, '$1') }
  return contenderHere(
    'bare pg, minimal statement',
    async (user) => (await pool.query({ ...statement, values: [user] })).rowCount === 1,
    async () => (await recordedUses({ pool, schema })) - 1,
    () => pool.end(),
  )
}
