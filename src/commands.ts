import { v7 as uuidv7 } from 'uuid'
import type { Balances } from './balances.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { IdempotencyConflictError, isCreditError } from './errors.js'
import type { EventDelivery } from './event-delivery.js'
import type { AccountKey } from './ledger/account.js'
import type { AccountRules, AccountState } from './ledger/account-state.js'
import type { CommandDetails } from './ledger/add.js'
import type { State } from './ledger/decision.js'
import type { EventKind } from './ledger/event.js'
import { Posting } from './ledger/posting.js'
import { type CommandRequest, firstDifference, requestBeyondColumns } from './ledger/request.js'
import type { JsonObject, Transaction } from './ledger/transaction.js'
import type { Clock } from './ports/clock.js'
import type { Command, CreditStore, Decide, Replayed, StateQuery } from './ports/store.js'

/** Makes a new row id: UUIDv7, sortable by time, never decided on. */
export function newRowId(): string {
  return uuidv7()
}

/** What every write needs beside the store. */
export interface CommandTools {
  clock: Clock | null
  balances: Balances
  rules: { of(creditType: string): AccountRules }
  events: EventDelivery
  /** The store itself. Events of a view inside of a host's transaction leave after its commit. */
  store: CreditStore
}

/** What every write goes through: the clock, the store's outcome made a result or a named error, the cache told. */
export class Commands {
  readonly #tools: CommandTools

  constructor(tools: CommandTools) {
    this.#tools = tools
  }

  /** The injected time, or null for the store's own clock. */
  now(): Date | null {
    return this.#tools.clock?.now() ?? null
  }

  /** Does somebody listen to this kind of event? */
  announces(kind: EventKind, { creditType }: AccountKey): boolean {
    return this.#tools.rules.of(creditType).announce.has(kind)
  }

  /** Begin a decision about one account, by the rules for its credit type. */
  posting(state: AccountState | undefined, now: Date): Posting {
    if (state === undefined) throw new Error('Commands.posting: the store did not load the account')
    return new Posting(state, now, newRowId, this.#tools.rules.of(state.account.creditType))
  }

  /** Run one command. `replayed` makes the result of a call whose key or id had been used before. */
  async run<R>(
    store: CreditStore,
    command: Omit<Command, 'now'>,
    decide: Decide<R>,
    replayed: (outcome: Replayed) => R,
  ): Promise<R> {
    const { balances, rules, events } = this.#tools
    const limits = command.accounts.some(({ creditType }) => rules.of(creditType).limits.length > 0)
    const written = { events: false }
    const deciding: Decide<R> = (state, now) => {
      const decision = decide(state, now)
      written.events = decision.accounts.some((changes) => changes.events.length > 0)
      // Kept beside the ledger, where one statement that also waits for the account can't be sure to see it.
      if (command.key !== null && decision.main === null)
        for (const { account } of decision.accounts) account.keyVersion = account.version
      return decision
    }
    const whole = { ...command, load: { ...command.load, limits }, now: this.now() }
    const outcome = await store.update(whole, deciding, firstDifference).catch(async (error: unknown) => {
      // It may have happened: what was remembered may be old.
      if (isCreditError(error, 'OUTCOME_UNKNOWN')) await balances.forget(command.accounts)
      throw error
    })
    if (outcome.status === 'conflict') throw new IdempotencyConflictError(outcome.field)
    // Also after a replay: it may be our own retry of a write whose answer was lost.
    await balances.forget(outcome.accounts)
    if (written.events && store === this.#tools.store) events.wake()
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
      { id, userId: account.userId, key, request, accounts: [account], load },
      (state, now) => {
        const posting = this.posting(state.accounts[0], now)
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
}
