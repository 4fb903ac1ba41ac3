import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { pgbenchVersion } from './contenders/pgbench.js'
import type { Space } from './scenarios/space.js'
import type { Row } from './statistics.js'
import type { Target } from './targets.js'

/** Above it, other work decides the figures. */
const QUIET = 0.15

/** What `--json` writes and the chart is made from. */
export interface Report {
  measuredAt: string
  machine: Record<string, string>
  effort: string
  /** How busy the processors were with other work, 0 to 1, before the run and after it. */
  busyWithOthers: number[]
  targets: Target[]
  rows: Row[]
  space: Space
}

export async function describeMachine(pool: Pool): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ version: string; settings: string }>(
    `select current_setting('server_version') as version, string_agg(name || '=' || current_setting(name), ' ') as settings
      from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size')`,
  )
  const { version, settings } = rows[0] ?? {}
  return {
    processors: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, shared by Node and PostgreSQL`,
    node: process.version,
    postgres: `${version ?? 'unknown'} (${settings ?? ''})`,
    pgbench: pgbenchVersion() ?? 'not on the PATH',
  }
}

/** How busy the processors are, 0 to 1, while we do nothing. */
export async function processorsBusy(): Promise<number> {
  const before = cpus()
  await sleep(500)
  const spent = cpus().map(({ times }, index) => {
    const idle = times.idle - (before[index]?.times.idle ?? 0)
    const all = (at: typeof times): number => at.user + at.nice + at.sys + at.irq + at.idle
    return { idle, all: all(times) - all(before[index]?.times ?? times) }
  })
  const sum = (of: 'idle' | 'all'): number => spent.reduce((total, each) => total + each[of], 0)
  return 1 - sum('idle') / sum('all')
}

export function printReport(report: Report): string {
  const { measuredAt, machine, effort, busyWithOthers, targets, rows, space } = report
  const others = busyWithOthers.map((share) => `${Math.round(share * 100)} %`).join(' before, ')
  const facts = Object.entries({
    ...machine,
    measured: `${measuredAt}, ${effort}`,
    'processors busy with other work': `${others} after`,
  })
  const met = targets.filter((target) => target.met === true).length
  const measured = targets.filter((target) => target.met !== null).length
  return [
    'creditkit: speed targets (DESIGN section 8)',
    ...facts.map(([name, value]) => `  ${name}: ${value}`),
    ...(Math.max(...busyWithOthers) > QUIET
      ? ['  NOT A QUIET MACHINE: ratios of this run say little, either way']
      : []),
    '',
    ...table(
      ['', 'target', 'asked', 'measured'],
      targets.map((target) => [mark(target.met), target.name, target.target, target.measured]),
    ),
    '',
    `${met} of ${measured} measured targets are met. Ratios are medians of the ratios of same rounds.`,
    '',
    `A keyed deduct leaves ${bytes(space.diskBytes)} on disk and ${bytes(space.walBytesAlone)} of WAL with one caller, ` +
      `${bytes(space.walBytesOfMany)} of WAL with 64.`,
    '',
    ...table(
      ['scenario', 'contender', 'per second', 'p50 ms', 'p99 ms'],
      rows.map((row, index) => [
        row.scenario === rows[index - 1]?.scenario ? '' : row.scenario,
        row.contender,
        Math.round(row.opsPerSecond).toLocaleString('en'),
        milliseconds(row.p50Ms),
        milliseconds(row.p99Ms),
      ]),
      2,
    ),
  ].join('\n')
}

function bytes(count: number): string {
  return `${Math.round(count)} bytes`
}

function mark(met: boolean | null): string {
  return met === null ? '–' : met ? '✓' : '✗'
}

/** Three figures; below a microsecond there is nothing to see. */
function milliseconds(value: number): string {
  return value < 0.01 ? value.toFixed(5) : value < 10 ? value.toFixed(3) : value.toFixed(1)
}

/** Columns from `numbersFrom` on are figures, and end at the right. */
function table(head: string[], body: string[][], numbersFrom = Infinity): string[] {
  const widths = head.map((name, column) => Math.max(name.length, ...body.map((cells) => (cells[column] ?? '').length)))
  return [head, ...body].map((cells) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column >= numbersFrom ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
