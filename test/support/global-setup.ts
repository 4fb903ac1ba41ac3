import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A PostgreSQL server where tests may create databases; take one with `createTestDatabase()`. */
    postgresUrl: string
    /** A Redis shared by all test files: use random keys, never FLUSHALL; take a private one with `startRedis()`. */
    redisUrl: string
  }
}

type Answer = { postgresUrl: string; redisUrl: string } | { error: string }

/** Starts PostgreSQL and Redis once for the whole run (about half a second) and ends them with it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const supervisor = fork(new URL('./servers.mjs', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(supervisor, 'exit')
  const answer = await new Promise<Answer>((resolve, reject) => {
    // The supervisor's only message; its shape is written in servers.mjs.
    supervisor.once('message', (message) => resolve(message as Answer))
    exited.then(([code]) => reject(new Error(`The test servers' supervisor ended with ${String(code)}.`)), reject)
  })
  if ('error' in answer) throw new Error(answer.error)
  project.provide('postgresUrl', answer.postgresUrl)
  project.provide('redisUrl', answer.redisUrl)

  return async () => {
    if (supervisor.connected) supervisor.disconnect()
    await exited
  }
}
