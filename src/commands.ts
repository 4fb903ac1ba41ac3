import { v7 as uuidv7 } from 'uuid'
import type { Balances } from './balances.js'
import { IdempotencyConflictError } from './errors.js'
import { firstDifference } from './ledger/request.js'
import type { Transaction } from './ledger/transaction.js'
import type { Clock } from './ports/clock.js'
import type { Command, CreditStore, Decide, Replayed } from './ports/store.js'

/** Makes a new row id: UUIDv7, sortable by time, never decided on. */
export function newRowId(): string {
  return uuidv7()
}

/** What every write goes through: the clock, the store's outcome made a result or a named error, the cache told. */
export class Commands {
  readonly #clock: Clock | null
  readonly #balances: Balances

  constructor(clock: Clock | null, balances: Balances) {
    this.#clock = clock
    this.#balances = balances
  }

  /** The injected time, or null for the store's own clock. */
  now(): Date | null {
    return this.#clock?.now() ?? null
  }

  /** Run one command. `replayed` makes the result of a call whose key or id had been used before. */
  async run<R>(
    store: CreditStore,
    command: Omit<Command, 'now'>,
    decide: Decide<R>,
    replayed: (outcome: Replayed) => R,
  ): Promise<R> {
    const outcome = await store.update({ ...command, now: this.now() }, decide, firstDifference)
    if (outcome.status === 'conflict') throw new IdempotencyConflictError(outcome.field)
    if (outcome.status === 'replayed') return replayed(outcome)
    await this.#balances.forget(outcome.accounts)
    return outcome.result
  }
}

/** The transaction a replayed command wrote the first time. */
export function replayedTransaction({ transaction }: Replayed): Transaction {
  if (transaction === null) throw new Error('replayedTransaction: the command wrote no transaction')
  return transaction
}
