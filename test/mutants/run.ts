import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Mutant, MUTANTS, plant } from './mutants.js'

/*
 * npm run test:mutants: plant each bug in a copy of the repository, run the tests that ought to catch it, and say which one
 * did. `-- --only lock` takes those with `lock` in their name or file. Ends with 1 when a bug survives, and with 2 when the
 * tests fail without any.
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const TIMEOUT_MS = 240_000

/** How tests ended: a failure's title, null when all passed. */
interface Verdict {
  caughtBy: string | null
  seconds: number
}

const children = new Set<ChildProcess>()
const folder = mkdtempSync(join(tmpdir(), 'creditkit-mutants-'))
process.once('exit', () => {
  for (const child of children) if (child.pid !== undefined) endGroup(child.pid)
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

process.exit(await main())

async function main(): Promise<number> {
  const only = process.argv[process.argv.indexOf('--only') + 1] ?? ''
  const isPicked = ({ name, file }: Mutant): boolean =>
    !process.argv.includes('--only') || `${name} ${file}`.includes(only)
  const picked = MUTANTS.filter(isPicked)
  copyRepository()
  const servers = await startServers()
  say('without any bug')
  const control = await runTests([...new Set(picked.flatMap(({ tests }) => tests))], servers, [])
  if (control.caughtBy !== null) {
    say(`the tests fail without any bug: ${control.caughtBy}`)
    return 2
  }
  const rows: string[][] = []
  for (const [index, mutant] of picked.entries()) {
    say(`${index + 1} of ${picked.length}: ${mutant.name}`)
    const path = join(folder, mutant.file)
    const source = readFileSync(path, 'utf8')
    writeFileSync(path, plant(source, mutant))
    const { caughtBy, seconds } = await runTests(mutant.tests, servers, ['--bail', '1'])
    writeFileSync(path, source)
    rows.push([mutant.name, mutant.file, caughtBy ?? 'SURVIVED', `${seconds} s`])
  }
  const survived = rows.filter(([, , caughtBy]) => caughtBy === 'SURVIVED')
  process.stdout.write(`${table(['planted bug', 'in', 'caught by', 'in'], rows)}\n`)
  process.stdout.write(`${rows.length - survived.length} of ${rows.length} were caught.\n`)
  return survived.length === 0 ? 0 : 1
}

/** What git knows, or would add. */
function copyRepository(): void {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  for (const file of listed.trim().split('\n')) {
    // Deleted, and not yet committed.
    if (!existsSync(join(root, file))) continue
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
}

/** One PostgreSQL and one Redis for all runs. */
async function startServers(): Promise<NodeJS.ProcessEnv> {
  const servers = fork(join(root, 'test/support/servers.mjs'))
  const [answer] = (await once(servers, 'message')) as [{ postgresUrl?: string; redisUrl?: string; error?: string }]
  if (answer.error !== undefined) throw new Error(answer.error)
  return { ...process.env, TEST_DATABASE_URL: answer.postgresUrl, TEST_REDIS_URL: answer.redisUrl }
}

/** What vitest's JSON reporter writes, as far as it matters here. */
interface Report {
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { status: string; fullName: string }[]
  }[]
}

async function runTests(
  paths: readonly string[],
  env: NodeJS.ProcessEnv,
  options: readonly string[],
): Promise<Verdict> {
  const started = Date.now()
  const output = join(folder, 'report.json')
  rmSync(output, { force: true })
  // A machine that is slow for a moment catches no bug.
  const patient = ['--testTimeout=120000', '--hookTimeout=120000']
  const args = ['vitest', 'run', '--config', '.config/vitest.config.ts', '--reporter=json', `--outputFile=${output}`]
  const child = spawn('npx', [...args, ...patient, ...options, ...paths], {
    cwd: folder,
    env,
    detached: true,
    stdio: 'ignore',
  })
  children.add(child)
  const timer = setTimeout(() => child.pid !== undefined && endGroup(child.pid), paths.length * TIMEOUT_MS)
  await once(child, 'exit')
  clearTimeout(timer)
  children.delete(child)
  const seconds = Math.round((Date.now() - started) / 1000)
  if (!existsSync(output)) return { caughtBy: '(the tests hang)', seconds }
  // Its own reporter wrote it.
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Report
  const broken = testResults.find(({ status }) => status === 'failed')
  const failed = broken?.assertionResults.find(({ status }) => status === 'failed')
  const title = failed?.fullName ?? (broken && `(before any test) ${broken.message.split('\n')[0] ?? ''}`)
  return { caughtBy: title ?? (child.exitCode === 0 ? null : '(an error outside of tests)'), seconds }
}

/** vitest with its workers and whatever tests have started. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Columns as wide as their longest text, the third one cut. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => (cell.length > 90 ? `${cell.slice(0, 89)}…` : cell)))
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
