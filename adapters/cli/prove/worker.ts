import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { CreditService } from '../../../src/credit-service.js'
import { InsufficientCreditsError, isCreditError, isRetryable } from '../../../src/errors.js'
import { postgresStore } from '../../postgres/index.js'
import type { Told } from './journal.js'

/** What a client is told to do: to use credits until it is killed, or until it hears `stop`. */
export interface Job {
  url: string
  schema: string
  userIds: string[]
  /** Callers within the process, on so many connections. */
  callers: number
  /** Each caller makes so many calls; null: until it is stopped. */
  calls: number | null
}

export const CREDIT_TYPE = 'proof'

/** A client process: its job comes, and what happens goes, over the channel to its parent. */
export async function work(): Promise<void> {
  const job = await nextMessage<Job>()
  let isStopped = false
  process.on('message', (message) => {
    if (message === 'stop') isStopped = true
  })
  const pool = new pg.Pool({ connectionString: job.url, max: job.callers })
  // A connection that ends while nobody uses it is nobody's loss.
  pool.on('error', () => undefined)
  const credits = new CreditService({
    creditTypes: [CREDIT_TYPE],
    store: postgresStore(pool, { schema: job.schema }),
    logger: SILENT,
  })
  tell('ready')
  await nextMessage()
  await Promise.all(
    Array.from({ length: job.callers }, async () => {
      for (let call = 0; !isStopped && (job.calls === null || call < job.calls); call++) await use(credits, job)
    }),
  )
  await credits.close()
  await pool.end().catch(() => undefined)
  tell('finished')
  process.disconnect()
}

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** One use of credits, asked for with one key until the answer is known. */
async function use(credits: CreditService<typeof CREDIT_TYPE>, { userIds }: Job): Promise<void> {
  const userId = userIds[Math.floor(Math.random() * userIds.length)] ?? ''
  const amount = 1 + Math.floor(Math.random() * 3)
  const key = randomUUID()
  tell({ kind: 'asks', userId, key, amount: userIds.length === 1 ? 1 : amount })
  for (;;) {
    try {
      const { id, replayed } = await credits.deductCredits({
        userId,
        amount: userIds.length === 1 ? 1 : amount,
        description: 'Proof',
        idempotencyKey: key,
      })
      tell({ kind: 'acknowledged', key, transactionId: id, replayed })
      return
    } catch (error) {
      if (isRetryable(error)) continue
      if (!isCreditError(error)) throw error
      tell({ kind: 'refused', key, code: error.code })
      if (error instanceof InsufficientCreditsError) return
      throw error
    }
  }
}

function tell(message: Told | 'ready' | 'finished'): void {
  // Without a channel the parent is gone, and with it the reason to go on.
  if (process.send === undefined || !process.connected) process.exit(0)
  process.send(message)
}

function nextMessage<M>(): Promise<M> {
  // What the parent sends; its shapes are written in clients.ts.
  return new Promise((resolve) => process.once('message', (message) => resolve(message as M)))
}
