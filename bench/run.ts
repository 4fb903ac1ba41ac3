import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Pool } from 'pg'
import { chart } from './chart.js'
import type { Effort } from './load.js'
import { describeMachine, printReport, processorsBusy, type Report } from './report.js'
import { measureCachedBalance } from './scenarios/cached-balance.js'
import { deductRound, NAMES, openContenders } from './scenarios/deducts.js'
import { grantsRound, openGrantContenders } from './scenarios/grants.js'
import { closeGrown, grow, growthRound, SIZES } from './scenarios/growth.js'
import { closePglite, openPglite, pgliteRound } from './scenarios/pglite.js'
import { measureSpace } from './scenarios/space.js'
import { startPostgres } from './server.js'
import { Results } from './statistics.js'
import { type Measured, targetsOf } from './targets.js'

/*
 * `npm run bench -- [--quick] [--json FILE] [--chart FILE] [--from FILE]`: the table of DESIGN section 8 with what was
 * measured. A target that is missed is a finding, not a failure; the exit code tells only whether the bench worked.
 * `--from`: print and draw an earlier run's JSON instead of measuring.
 */

const FULL: Effort = { quick: false, rounds: 5, warmUpMs: 400, windowMs: 1_600 }
const QUICK: Effort = { quick: true, rounds: 3, warmUpMs: 40, windowMs: 120 }

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    chart: { type: 'string' },
    from: { type: 'string' },
  },
})

const report =
  options.from === undefined ? await measured(options.quick ? QUICK : FULL) : await readReport(options.from)
console.log(printReport(report))
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
if (options.chart !== undefined) await writeFile(options.chart, chart(report))

/** Ends the process when anything breaks, and with it the servers: pools that are still open would speak up first. */
async function measured(effort: Effort): Promise<Report> {
  try {
    return await measure(effort)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}

async function readReport(file: string): Promise<Report> {
  // Written by this script.
  return JSON.parse(await readFile(file, 'utf8')) as Report
}

async function measure(effort: Effort): Promise<Report> {
  const results = new Results()
  const before = await processorsBusy()
  progress('starting PostgreSQL')
  const server = await startPostgres()
  const pool = new Pool({ connectionString: server.url, max: 1 })
  const machine = await describeMachine(pool)
  await measureDeducts(server.url, pool, effort, results)
  await measureGrowth(server.url, pool, effort, results)
  progress('space')
  const space = await measureSpace(server.url, effort)
  await pool.end()
  await measurePglite(effort, results)
  progress('cached balances')
  const cachedBalance = await measureCachedBalance()
  const all: Measured = { results, space, cachedBalance, quick: effort.quick }
  await server.stop()
  const after = await processorsBusy()
  return {
    measuredAt: new Date().toISOString(),
    machine,
    effort: `${effort.quick ? '--quick, ' : ''}${effort.rounds} rounds of ${effort.windowMs / 1000} s`,
    busyWithOthers: [before, after],
    targets: targetsOf(all),
    rows: [...results.rows(), ...otherRows(all)],
    space,
  }
}

async function measureDeducts(url: string, pool: Pool, effort: Effort, results: Results): Promise<void> {
  progress('accounts for all contenders')
  const contenders = await openContenders(url)
  const grants = await openGrantContenders(url)
  progress('warming up')
  // By the first round, what runs often here is compiled, and all connections are open.
  const brief = { ...effort, warmUpMs: 0, windowMs: effort.windowMs / 2 }
  const inThisProcess = contenders.filter(({ name }) => name !== NAMES.pgbench)
  await deductRound(inThisProcess, 0, brief, new Results())
  await grantsRound(grants, 0, brief, new Results())
  for (let round = 0; round < effort.rounds; round += 1) {
    progress(`deductions, round ${round + 1} of ${effort.rounds}`)
    await deductRound(contenders, round, effort, results)
    await grantsRound(grants, round, effort, results)
  }
  for (const contender of [...contenders, ...grants.map((each) => each.contender)]) await contender.close()
  await pool.query('checkpoint')
}

async function measureGrowth(url: string, pool: Pool, effort: Effort, results: Results): Promise<void> {
  const grown = []
  for (const rows of effort.quick ? SIZES.quick : SIZES.full) {
    progress(`a ledger of ${rows.toLocaleString('en')} rows`)
    grown.push(await grow(url, rows))
  }
  await pool.query('checkpoint')
  const brief = { ...effort, windowMs: effort.windowMs / 2 }
  await growthRound(grown, 0, brief, new Results())
  for (let round = 0; round < effort.rounds; round += 1) {
    progress(`growth, round ${round + 1} of ${effort.rounds}`)
    await growthRound(grown, round, brief, results)
  }
  await closeGrown(grown)
}

async function measurePglite(effort: Effort, results: Results): Promise<void> {
  progress('PGlite')
  const pglite = await openPglite()
  await pgliteRound(pglite, 0, { ...effort, warmUpMs: 0 }, new Results())
  for (let round = 0; round < effort.rounds; round += 1) await pgliteRound(pglite, round, effort, results)
  await closePglite(pglite)
}

/** What has no rounds. */
function otherRows({ cachedBalance: { inProcess, redis } }: Measured): Report['rows'] {
  const scenario = 'cached getBalance'
  return [
    { scenario, contender: 'creditkit, in process', ...inProcess },
    ...(redis === null ? [] : [{ scenario, contender: 'creditkit, Redis', ...redis }]),
  ]
}

function progress(what: string): void {
  console.error(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${what}`)
}
