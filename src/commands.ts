import { v7 as uuidv7 } from 'uuid'
import type { Balances } from './balances.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { IdempotencyConflictError, isCreditError } from './errors.js'
import type { AccountKey } from './ledger/account.js'
import type { CommandDetails } from './ledger/add.js'
import type { State } from './ledger/decision.js'
import { Posting } from './ledger/posting.js'
import { type CommandRequest, firstDifference, requestBeyondColumns } from './ledger/request.js'
import type { JsonObject, Transaction } from './ledger/transaction.js'
import type { Clock } from './ports/clock.js'
import type { Command, CreditStore, Decide, Replayed, StateQuery } from './ports/store.js'

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
    const updating = store.update({ ...command, now: this.now() }, decide, firstDifference)
    const outcome = await updating.catch(async (error: unknown) => {
      // It may have happened: what was remembered may be old.
      if (isCreditError(error, 'OUTCOME_UNKNOWN')) await this.#balances.forget(command.accounts)
      throw error
    })
    if (outcome.status === 'conflict') throw new IdempotencyConflictError(outcome.field)
    // Also after a replay: it may be our own retry of a write whose answer was lost.
    await this.#balances.forget(outcome.accounts)
    return outcome.status === 'replayed' ? replayed(outcome) : outcome.result
  }

  /** Run a command that writes one transaction of its own to one account. `beyond`: what was asked beside the columns. */
  async write<T extends string>(
    { store, account }: AccountCall<T>,
    input: WriteInput,
    beyond: CommandRequest,
    load: StateQuery,
    decide: (posting: Posting, details: CommandDetails, state: State) => Transaction,
  ): Promise<CreditTransaction<T>> {
    const { idempotencyKey: key, description, actor, metadata, referenceId = null, referenceType = null } = input
    const id = newRowId()
    const columns: CommandRequest = [
      ['creditType', account.creditType],
      ['amount', input.amount],
      ['description', description],
      ['referenceId', referenceId],
      ['referenceType', referenceType],
      ['metadata', metadata],
    ]
    // Without an amount of its own, what a command writes follows from another transaction and says nothing of the request.
    const request = input.amount === null ? [...beyond, ['metadata', metadata] as const] : [...beyond, ...columns]
    const kept = key === null ? null : requestBeyondColumns(beyond)
    const details = { id, description, referenceId, referenceType, metadata, idempotencyKey: key, request: kept, actor }
    return this.run(
      store,
      { id, userId: account.userId, key, request, accounts: [account], load, tx: input.tx },
      (state, now) => {
        const [locked] = state.accounts
        if (locked === undefined) throw new Error('Commands.write: the store did not load the account')
        const posting = new Posting(locked, now, newRowId)
        const main = decide(posting, details, state)
        return { result: toCreditTransaction<T>(main), main, accounts: [posting.finish()] }
      },
      ({ transaction }) => {
        if (transaction === null) throw new Error('Commands.write: the replayed command wrote no transaction')
        // Under this call's own id it is this call's own write, found again after its answer was lost.
        return toCreditTransaction<T>(transaction, transaction.id !== id)
      },
    )
  }
}

/** A call on one account, ready to run. */
export interface AccountCall<T extends string> {
  store: CreditStore
  account: AccountKey & { creditType: T }
}

/** What every write has in common. `amount`: as the transaction's column will have it; null: follows from elsewhere. */
export interface WriteInput {
  amount: number | null
  description: string
  idempotencyKey: string | null
  actor: string | null
  metadata: JsonObject | null
  referenceId?: string | null
  referenceType?: string | null
  tx?: unknown
}
