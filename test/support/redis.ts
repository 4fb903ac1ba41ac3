import { fork } from 'node:child_process'
import { once } from 'node:events'

export interface TestRedis {
  url: string
  port: number
  /** Stop the process in its tracks; its sockets stay open and nobody answers (SIGSTOP). */
  freeze(): void
  /** Let it run on (SIGCONT). */
  thaw(): void
  /** SIGKILL; the port is free again afterwards. */
  kill(): Promise<void>
}

type Answer = { redisUrl: string; pid: number } | { error: string }

/** A Redis of one test's own, to be broken. It dies with the test process at the latest. */
export async function startRedis(...settings: string[]): Promise<TestRedis> {
  const supervisor = fork(new URL('./servers.mjs', import.meta.url), ['redis', ...settings], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(supervisor, 'exit')
  // The supervisor's only message; its shape is written in servers.mjs.
  const [message] = (await once(supervisor, 'message')) as [Answer]
  if ('error' in message) throw new Error(message.error)
  const { pid, redisUrl } = message
  return {
    url: redisUrl,
    port: Number(new URL(redisUrl).port),
    freeze: () => void process.kill(pid, 'SIGSTOP'),
    thaw: () => void process.kill(pid, 'SIGCONT'),
    async kill() {
      if (supervisor.connected) supervisor.disconnect()
      await exited
    },
  }
}
