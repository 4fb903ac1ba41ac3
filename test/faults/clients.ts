import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Line, readJournal } from './journal.js'
import type { LoadOptions } from './load.js'

export interface ClientJob extends Omit<LoadOptions, 'credits'> {
  place: { url: string } | { directory: string }
  cache: { url: string; ttlSeconds: number; keyPrefix: string } | null
}

/** What all clients of a test have in common. */
export type Work = Omit<ClientJob, 'journalPath' | 'name' | 'seed'> & { seed: number }

interface Client {
  name: string
  process: ChildProcess
}

/** Client processes with a journal each, that are killed in the middle of their work and start again with it. */
export class Clients {
  readonly #work: Work
  readonly #directory = mkdtempSync(join(tmpdir(), 'creditkit-faults-'))
  readonly #running = new Map<string, Client>()
  readonly #spares: Promise<ChildProcess>[] = []
  #lives = 0
  kills = 0

  constructor(work: Work) {
    this.#work = work
  }

  get names(): string[] {
    return [...this.#running.keys()]
  }

  /** The journal of somebody; of the test itself, too. */
  journalPath(name: string): string {
    return join(this.#directory, `${name}.jsonl`)
  }

  /** Have so many processes wait, so that whoever is killed is followed at once. */
  prepare(count: number): void {
    while (this.#spares.length < count) this.#spares.push(spare())
  }

  /** Start this client, or start it again: it goes on with its journal. */
  async start(name: string): Promise<void> {
    this.prepare(1)
    const child = await this.#spares.shift()
    if (child === undefined) throw new Error('clients: no process was prepared')
    this.#running.set(name, { name, process: child })
    this.#lives += 1
    const job: ClientJob = {
      ...this.#work,
      journalPath: this.journalPath(name),
      name: `${name}.${this.#lives}`,
      seed: this.#work.seed + this.#lives,
    }
    await ask(child, job)
    child.send('go')
  }

  /** SIGKILL. */
  async kill(name: string): Promise<void> {
    const { process: child } = this.#client(name)
    this.#running.delete(name)
    if (child.exitCode !== null) throw new Error(`client ${name} had ended by itself, with ${child.exitCode}`)
    await end(child)
    this.kills += 1
  }

  /** Let all finish what they are at. */
  async pause(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ process: child }) => ask(child, 'pause')))
  }

  go(): void {
    for (const { process: child } of this.#running.values()) child.send('go')
  }

  /** Everything all of them have written down. */
  journals(names: readonly string[]): Line[] {
    return names.flatMap((name) => readJournal(this.journalPath(name)))
  }

  async end(): Promise<void> {
    const spares = await Promise.all(this.#spares)
    await Promise.all([...spares, ...[...this.#running.values()].map((client) => client.process)].map(end))
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #client(name: string): Client {
    const client = this.#running.get(name)
    if (client === undefined) throw new Error(`clients: ${name} is not running`)
    return client
  }
}

/** A process that has loaded everything and waits for its job. */
async function spare(): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('./client-process.ts', import.meta.url))
  const child = fork(path, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await once(child, 'spawn')
  return child
}

async function ask(child: ChildProcess, message: ClientJob | 'pause'): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a client ended with ${String(code)}`))
    child.once('exit', ended)
    child.once('message', () => {
      child.off('exit', ended)
      resolve()
    })
    child.send(message)
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
