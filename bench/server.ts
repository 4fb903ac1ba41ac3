import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface Server {
  url: string
  stop(): Promise<void>
}

/** As in production; only what would let a checkpoint fall into one contender's window is wider than the defaults. */
const SETTINGS = [
  'fsync=on',
  'synchronous_commit=on',
  'full_page_writes=on',
  'shared_buffers=1GB',
  'max_wal_size=16GB',
  'checkpoint_timeout=1h',
]

/** A PostgreSQL of our own, from the binaries that the tests use, with durable commits. It ends with this process. */
export async function startPostgres(): Promise<Server> {
  const { answer, stop } = await supervise(['postgres', ...SETTINGS])
  return { url: String(answer.postgresUrl), stop }
}

export async function startRedis(): Promise<Server> {
  const { answer, stop } = await supervise(['redis'])
  return { url: String(answer.redisUrl), stop }
}

async function supervise(args: string[]): Promise<{ answer: Record<string, unknown>; stop: () => Promise<void> }> {
  const supervisor = fork('test/support/servers.mjs', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const answer = await firstMessage(supervisor)
  if ('error' in answer) throw new Error(String(answer.error))
  return {
    answer,
    stop: async () => {
      if (supervisor.exitCode !== null) return
      const exited = once(supervisor, 'exit')
      if (supervisor.connected) supervisor.disconnect()
      await exited
    },
  }
}

async function firstMessage(supervisor: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    // The supervisor's only message; its shape is written in servers.mjs.
    supervisor.once('message', (message) => resolve(message as Record<string, unknown>))
    supervisor.once('exit', (code) => reject(new Error(`The servers' supervisor ended with ${String(code)}`)))
  })
}
