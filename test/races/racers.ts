import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What negative controls take out of every statement; each must be missed. */
export type Safeguard = 'locks of the general path' | 'locks of the fast path' | 'key versions'

/** How the racing services are made; by default as hosts make them. */
export interface RaceOptions {
  /** Do without one of them. */
  without?: Safeguard | null
  /** See `postgresStore`. */
  fastPath?: boolean
  /** See `CreditServiceOptions`; false: each call is a statement of its own. */
  batching?: boolean
}

export interface RaceJob extends Required<RaceOptions> {
  url: string
  /** Connections of one process. */
  clients: number
}

interface Amount {
  userId: string
  amount: number
  idempotencyKey?: string
}

/** What callers can race for, and with what. All in credits of type `calling`. */
export interface RaceInputs {
  add: Amount
  deduct: Amount
  refund: { transactionId: string }
  hold: Amount
  capture: { holdId: string }
  release: { holdId: string }
  transfer: { fromUserId: string; toUserId: string; amount: number }
  deductMany: Amount[]
  runDue: Record<string, never>
}

export type RaceCall = { [K in keyof RaceInputs]: { operation: K; input: RaceInputs[K] } }[keyof RaceInputs]

/** `id`: of what was written; of `runDue`, how many accounts were swept. */
export type RaceOutcome = { ok: true; id: string; replayed: boolean } | { ok: false; code: string }

/** The same in all processes. */
export const RACE_OPTIONS = {
  plans: { daily: { grants: [{ creditType: 'calling', amount: 5, every: 'day' }] } },
} as const

export interface Racers {
  /** Deal the calls out to all processes, and run everything at one instant. */
  race(url: string, calls: readonly RaceCall[], options?: RaceOptions): Promise<RaceOutcome[]>
  end(): Promise<void>
}

export const PROCESSES = 4
const CLIENTS_PER_PROCESS = 8

/** Four processes with eight clients each: 32 callers that share nothing but the database. */
export async function startRacers(): Promise<Racers> {
  const workers = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const path = fileURLToPath(new URL('./race-worker.ts', import.meta.url))
      const worker = fork(path, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      await answer(worker)
      return worker
    }),
  )
  const ask = async (worker: ChildProcess, message: { prepare: RaceJob } | { go: RaceCall[] }): Promise<unknown> => {
    const answered = answer(worker)
    worker.send(message)
    return answered
  }
  return {
    race: async (url, calls, { without = null, fastPath = true, batching = true } = {}) => {
      const job = { url, without, fastPath, batching, clients: CLIENTS_PER_PROCESS }
      await Promise.all(workers.map((worker) => ask(worker, { prepare: job })))
      const dealt = workers.map((_, index) => calls.filter((_call, position) => position % PROCESSES === index))
      const answers = await Promise.all(workers.map((worker, index) => ask(worker, { go: dealt[index] ?? [] })))
      // The worker's answer to `go`; its shape is written in race-worker.ts.
      return (answers as RaceOutcome[][]).flat()
    },
    end: async () => {
      await Promise.all(
        workers.map((worker) => {
          const exited = once(worker, 'exit')
          worker.kill()
          return exited
        }),
      )
    },
  }
}

/** The next message of a process. */
async function answer(worker: ChildProcess): Promise<unknown> {
  const message = await new Promise<unknown>((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a racing process ended with ${String(code)}`))
    worker.once('exit', ended)
    worker.once('message', (received) => {
      worker.off('exit', ended)
      resolve(received)
    })
  })
  if (typeof message === 'object' && message !== null && 'failed' in message) {
    throw new Error(`a racing process failed: ${String(message.failed)}`)
  }
  return message
}

/** How many succeeded, and how often each error came. */
export function tally(outcomes: readonly RaceOutcome[]): { succeeded: number; codes: Record<string, number> } {
  const codes: Record<string, number> = {}
  for (const outcome of outcomes) if (!outcome.ok) codes[outcome.code] = (codes[outcome.code] ?? 0) + 1
  return { succeeded: outcomes.filter(({ ok }) => ok).length, codes }
}
