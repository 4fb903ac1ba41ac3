import type { CreditTransaction } from '../../src/credit-transaction.js'
import { type CreditError, isCreditError } from '../../src/errors.js'
import type { GrantSource } from '../../src/ledger/grant.js'
import { withRetry } from '../../src/retry.js'
import type { HostService } from './host-service.js'
import type { OpeningBalance, RefusedRow, RowCheck, SourceRow } from './opening-balances.js'
import { progress } from './output.js'
import type { Terminal } from './terminal.js'

/** Rows that are told of one by one. */
export const MAX_LISTED = 1000
/** Rows that are written together, and batches at once: more are no faster, and hold other writers up for longer. */
const BATCH = 500
const CALLERS = 2

interface Granting {
  /** The idempotency key of a user's opening balance. */
  key: (creditType: string) => string
  /** Rows to expect. */
  total: number
  description: string
  source: GrantSource
}

interface Grants {
  /** Accounts that were granted now, and before. */
  granted: number
  before: number
  failed: number
  failedRows: RefusedRow[]
  /** Credits in the ledger's rows of this import, as the ledger answered. */
  inLedger: number
}

/** Grant what each row says, once under the import's keys, whatever was granted before. */
export async function grantAll(
  terminal: Terminal,
  credits: HostService,
  rows: AsyncIterable<SourceRow>,
  check: RowCheck,
  given: Granting,
): Promise<Grants> {
  const result: Grants = { granted: 0, before: 0, failed: 0, failedRows: [], inLedger: 0 }
  const bar = progress(terminal)
  const count = ({ amount, replayed }: CreditTransaction): void => {
    result[replayed ? 'before' : 'granted'] += 1
    result.inLedger += amount
  }
  const inputOf = ({ userId, creditType, amount }: OpeningBalance) => {
    const { description, source } = given
    return { userId, creditType, amount, description, source, idempotencyKey: given.key(creditType) }
  }
  const grantOne = async (row: PlacedBalance): Promise<void> => {
    try {
      count(await withRetry(() => credits.addCredits(inputOf(row))))
    } catch (error) {
      if (!isOfOneRow(error)) throw error
      const { place, userId } = row
      result.failed += 1
      if (result.failedRows.length < MAX_LISTED) result.failedRows.push({ place, userId, reason: error.message })
    }
  }
  const grantBatch = async (batch: readonly PlacedBalance[]): Promise<void> => {
    try {
      const written = await withRetry(() => credits.addMany(batch.map(inputOf)))
      for (const transaction of written) count(transaction)
    } catch (error) {
      if (!isOfOneRow(error)) throw error
      // Nothing was written; which of them it is, each tells by itself.
      for (const row of batch) await grantOne(row)
    }
    const last = batch.at(-1)?.userId.slice(0, 40) ?? ''
    bar.show(result.granted + result.before + result.failed, given.total, `granting, ${last}`)
  }
  const iterator = rows[Symbol.asyncIterator]()
  const caller = async () => {
    let batch: PlacedBalance[] = []
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const checked = check.check(next.value)
      if (checked === null || 'reason' in checked) continue
      batch.push({ ...checked, place: next.value.place })
      if (batch.length < BATCH) continue
      await grantBatch(batch)
      batch = []
    }
    if (batch.length > 0) await grantBatch(batch)
  }
  try {
    await Promise.all(Array.from({ length: CALLERS }, caller))
  } catch (error) {
    terminal.err('Broken off. What was granted stays; the same command goes on from there.\n')
    throw error
  } finally {
    bar.end()
  }
  return result
}

interface PlacedBalance extends OpeningBalance {
  place: string
}

/** An error that says what is wrong with a row; with any other the next row would fail, too. */
function isOfOneRow(error: unknown): error is CreditError {
  return isCreditError(error, 'INVALID_INPUT') || isCreditError(error, 'IDEMPOTENCY_CONFLICT')
}
