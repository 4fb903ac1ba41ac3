import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ACCOUNTS, type Contender } from '../load.js'
import { type Sample, toSample } from '../statistics.js'
import { recordedUses } from './creditkit.js'
import { minimalDeduct, openOurTables } from './minimal-deduct.js'

/** The share of its time that is not counted. */
const WARM_UP = 0.3

const run = promisify(execFile)

/** Its version, or null where it is not installed. */
export function pgbenchVersion(): string | null {
  try {
    return execFileSync('pgbench', ['--version'], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

/** The minimal statement from a client in C: about what the server can do at best, one call at a time. */
export async function pgbench(url: string): Promise<Contender> {
  const schema = 'bench_pgbench'
  const pool = await openOurTables(url, schema)
  const directory = await mkdtemp(join(tmpdir(), 'creditkit-bench-'))
  const scripts = { any: join(directory, 'any.sql'), hot: join(directory, 'hot.sql') }
  const random = `\\set n random(1, ${ACCOUNTS})\n`
  await writeFile(scripts.any, `${random}${oneLine(minimalDeduct(schema, "'u' || :n"))};\n`)
  await writeFile(scripts.hot, `${oneLine(minimalDeduct(schema, "'hot'"))};\n`)
  const { hostname, port } = new URL(url)
  let processed = 0
  return {
    name: 'pgbench, minimal statement',
    measure: async ({ callers, user }, { warmUpMs, windowMs }) => {
      const script = user() === 'hot' ? scripts.hot : scripts.any
      // It knows no windows shorter than a second.
      const seconds = String(Math.max(1, Math.round((warmUpMs + windowMs) / 1000)))
      const server = ['-h', hostname, '-p', port, '-U', 'postgres']
      const clients = ['-c', String(callers), '-j', String(Math.min(callers, 2)), '-T', seconds]
      const log = ['--log', `--log-prefix=${join(directory, 'log')}`]
      const { stdout } = await run('pgbench', [
        '-n',
        '-M',
        'prepared',
        ...server,
        ...clients,
        ...log,
        '-f',
        script,
        'postgres',
      ])
      processed += figure(stdout, /actually processed: (\d+)/)
      return readLog(directory)
    },
    check: async () => {
      const found = (await recordedUses({ pool, schema })) - 1
      if (found !== processed) throw new Error(`pgbench: ${found} uses are recorded, ${processed} were processed`)
    },
    close: async () => {
      await pool.end()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function oneLine(statement: string): string {
  return statement.replaceAll('\n', ' ')
}

function figure(output: string, pattern: RegExp): number {
  const [, found] = pattern.exec(output) ?? []
  if (found === undefined) throw new Error(`pgbench said something else:\n${output}`)
  return Number(found)
}

/**
 * From its log of all transactions, without the time in which its clients connect and prepare. The third word of a line is
 * a latency in microseconds, the last two are when it ended.
 */
async function readLog(directory: string): Promise<Sample> {
  const logs = (await readdir(directory)).filter((name) => name.startsWith('log'))
  const texts = await Promise.all(logs.map((name) => readFile(join(directory, name), 'utf8')))
  await Promise.all(logs.map((name) => rm(join(directory, name))))
  const transactions = texts
    .flatMap((text) => text.trim().split('\n'))
    .map((line) => line.split(' ').map(Number))
    .map(([, , latencyUs = 0, , seconds = 0, us = 0]) => ({
      latencyMs: latencyUs / 1000,
      endMs: seconds * 1000 + us / 1000,
    }))
  const ends = transactions.map(({ endMs }) => endMs).toSorted((a, b) => a - b)
  const first = ends[0] ?? 0
  const last = ends.at(-1) ?? 0
  const start = first + (last - first) * WARM_UP
  const measured = transactions.filter(({ endMs }) => endMs >= start)
  return toSample(
    measured.map(({ latencyMs }) => latencyMs),
    last - start,
  )
}
