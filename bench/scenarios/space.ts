import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as z from 'zod'
import { deductOne, fillAccounts, keysOf16, type Ours, openOurs, recordedUses } from '../contenders/creditkit.js'
import { anyUser, type Effort } from '../load.js'

export interface Space {
  diskBytes: number
  walBytesAlone: number
  walBytesOfMany: number
  coldRoundTrips: number
  warmRoundTrips: number
}

/**
 * What one deduction with a key of 16 characters leaves behind, over ten thousand accounts, and how often it asks. WAL is
 * counted once every page has been written since the last checkpoint: full-page images depend on how often those come.
 */
export async function measureSpace(url: string, { quick }: Effort): Promise<Space> {
  const ours = await openOurs(url, 'bench_space')
  await fillAccounts(ours)
  const before = await tableBytes(ours)
  const nextKey = keysOf16()
  const user = anyUser()
  const one = async (): Promise<void> => {
    if (!(await deductOne(ours.credits, user(), nextKey()))) throw new Error('space: a deduction was refused')
  }
  const many = quick ? 10_000 : 60_000
  const alone = quick ? 1_000 : 10_000
  await repeat(one, many, 64)
  const walBytesOfMany = await walPer(ours, () => repeat(one, many, 64), many)
  const walBytesAlone = await walPer(ours, () => repeat(one, alone, 1), alone)
  const total = many + many + alone
  const diskBytes = ((await tableBytes(ours)) - before) / total

  const uses = (await recordedUses(ours)) - 1
  if (uses !== total) throw new Error(`space: ${uses} uses are recorded, ${total} were acknowledged`)
  const { cold, warm } = await roundTrips(url, ours.schema)
  await ours.credits.close()
  await ours.pool.end()
  return { diskBytes, walBytesAlone, walBytesOfMany, coldRoundTrips: cold, warmRoundTrips: warm }
}

async function repeat(call: () => Promise<void>, times: number, callers: number): Promise<void> {
  let left = times
  const caller = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

async function walPer({ pool }: Ours, work: () => Promise<void>, times: number): Promise<number> {
  const start = await pool.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn')
  await work()
  const { rows } = await pool.query<{ bytes: string }>('select pg_current_wal_lsn() - $1::pg_lsn as bytes', [
    start.rows[0]?.lsn,
  ])
  return Number(rows[0]?.bytes) / times
}

async function tableBytes({ pool, schema }: Ours): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    `select sum(pg_total_relation_size(c.oid)) as bytes from pg_class c
      where c.relkind = 'r' and c.relnamespace = $1::regnamespace`,
    [schema],
  )
  return Number(rows[0]?.bytes)
}

const printed = z.object({ cold: z.number(), warm: z.number() })

async function roundTrips(url: string, schema: string): Promise<z.infer<typeof printed>> {
  const script = join(import.meta.dirname, 'cold-deduct.js')
  const { stdout } = await promisify(execFile)(process.execPath, [script, url, schema])
  return printed.parse(JSON.parse(stdout))
}
