import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Journal, Told } from './journal.js'
import type { Job } from './worker.js'

/** Client processes, which can be killed and started again. */
export class Clients {
  readonly #program: readonly string[]
  readonly #journal: Journal
  readonly #running = new Set<ChildProcess>()

  /** `program`: a script and its arguments, which calls `work`. */
  constructor(program: readonly string[], journal: Journal) {
    this.#program = program
    this.#journal = journal
  }

  get running(): readonly ChildProcess[] {
    return [...this.#running]
  }

  /** A process that waits for its start. */
  async prepare(job: Job): Promise<ChildProcess> {
    const [script = '', ...args] = this.#program
    const client = fork(script, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#running.add(client)
    client.once('exit', () => this.#running.delete(client))
    const ready = new Promise<void>((resolve, reject) => {
      client.once('exit', (code) => reject(new Error(`a client ended with ${String(code)} before it was ready`)))
      client.on('message', (message: Told | 'ready' | 'finished') => {
        if (message === 'ready') resolve()
        else if (message !== 'finished') this.#journal.note(message)
      })
    })
    client.send(job)
    await ready
    return client
  }

  /** Run so many processes to their end. */
  async run(job: Job, processes: number): Promise<void> {
    const clients = await Promise.all(Array.from({ length: processes }, () => this.prepare(job)))
    const ended = clients.map((client) => once(client, 'exit'))
    for (const client of clients) client.send('go')
    await Promise.all(ended)
  }

  async kill(client: ChildProcess): Promise<void> {
    const ended = once(client, 'exit')
    client.kill('SIGKILL')
    await ended
  }

  /** Let all finish what they are at. */
  async stop(): Promise<void> {
    const ended = this.running.map((client) => once(client, 'exit'))
    for (const client of this.running) client.send('stop')
    await Promise.all(ended)
  }

  killAll(): void {
    for (const client of this.#running) client.kill('SIGKILL')
  }
}
