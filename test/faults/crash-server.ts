import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

/** A PostgreSQL of one test's own that is stopped at once, under load, and started again. */
export interface CrashServer {
  url: string
  readonly crashes: number
  /** `pg_ctl stop -m immediate`. */
  crash(): Promise<void>
  /** Recovers, and serves again. */
  start(): Promise<void>
  end(): Promise<void>
}

/**
 * Keeps what it has acknowledged, as PostgreSQL does unless it is told otherwise. Without fsync: what a crashed server has
 * written is safe with the operating system, which does not crash here.
 */
const DURABLE = ['synchronous_commit=on', 'full_page_writes=on']

export async function startCrashServer(...settings: string[]): Promise<CrashServer> {
  const maker = fork(new URL('../support/servers.mjs', import.meta.url), ['postgres', ...DURABLE, ...settings], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  // The supervisor's only message; its shape is written in servers.mjs.
  const [made] = (await once(maker, 'message')) as [{ postgresUrl: string } | { error: string }]
  if ('error' in made) throw new Error(made.error)
  const url = made.postgresUrl
  const directory = await dataDirectory(url)
  const commandLine = readFileSync(join(directory, 'postmaster.opts'), 'utf8')
  const [command = '', ...args] = wordsOf(commandLine)
  const { uid, gid } = statSync(directory)
  const user = process.getuid?.() === 0 ? [uid, gid] : [-1, -1]
  // From the one that made it to the one that crashes it.
  const pid = Number(readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')[0])
  process.kill(pid, 'SIGQUIT')
  while (isRunning(pid) || existsSync(join(directory, 'postmaster.pid'))) await pause(10)
  const path = fileURLToPath(new URL('./crash-server-process.ts', import.meta.url))
  const owner = fork(path, [...user.map(String), command, ...args], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let crashes = 0
  await tell(owner, 'start')
  return {
    url,
    get crashes() {
      return crashes
    },
    crash: async () => {
      await tell(owner, 'crash')
      crashes += 1
    },
    start: () => tell(owner, 'start'),
    end: async () => {
      for (const child of [owner, maker]) {
        const ended = once(child, 'exit')
        child.disconnect()
        await ended
      }
    },
  }
}

async function tell(owner: ChildProcess, wanted: 'start' | 'crash'): Promise<void> {
  const answered = once(owner, 'message')
  owner.send(wanted)
  // One of the answers of crash-server-process.ts.
  const [answer] = (await answered) as [unknown]
  if (answer !== 'started' && answer !== 'crashed') throw new Error(`crash server: ${JSON.stringify(answer)}`)
}

async function dataDirectory(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ data_directory: string }>('show data_directory')
  await client.end()
  const [row] = rows
  if (row === undefined) throw new Error('PostgreSQL does not say where its data is')
  return row.data_directory
}

/** `postmaster.opts` has the command, and each argument in double quotes. */
function wordsOf(commandLine: string): string[] {
  return [...commandLine.trim().matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
