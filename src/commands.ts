import type { Balances } from './balances.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { IdempotencyConflictError, InsufficientCreditsError, isCreditError } from './errors.js'
import type { EventDelivery } from './event-delivery.js'
import type { AccountKey } from './ledger/account.js'
import type { AccountRules, AccountState } from './ledger/account-state.js'
import type { CommandDetails } from './ledger/add.js'
import { alertsOf, isDecidedByRow } from './ledger/announcements.js'
import type { State } from './ledger/decision.js'
import type { EventKind } from './ledger/event.js'
import type { HoldDetails } from './ledger/hold.js'
import { Posting } from './ledger/posting.js'
import { type CommandRequest, firstDifference, requestBeyondColumns } from './ledger/request.js'
import { type Spent, spentTransaction } from './ledger/spent.js'
import type { JsonObject, Transaction } from './ledger/transaction.js'
import type { Clock } from './ports/clock.js'
import type { Command, CreditStore, Decide, Replayed, SpendCommand, StateQuery } from './ports/store.js'
import type { CreditMovement, Telemetry } from './ports/telemetry.js'
import { newRowId } from './row-id.js'
import { type Decided, type SendSpends, SpendOneByOne, SpendQueue } from './spend-queue.js'

/** What every write needs beside the store. */
export interface CommandTools {
  clock: Clock | null
  balances: Balances
  rules: { of(creditType: string): AccountRules }
  events: EventDelivery
  /** The store itself. Events of a view inside of a host's transaction leave after its commit. */
  store: CreditStore
  /** Send concurrent deductions and holds together. */
  batching: boolean
  telemetry: Telemetry | null
}

/** What every write goes through: the clock, the store's outcome made a result or a named error, the cache told. */
export class Commands {
  readonly #tools: CommandTools
  /** The fast path; null where the store has none. */
  readonly #spender: Pick<SpendQueue, 'decide'> | null
  /** Deductions and holds that the fast path was asked for and whose callers have not been told. */
  #spending = 0
  readonly #idle: (() => void)[] = []

  constructor(tools: CommandTools) {
    this.#tools = tools
    const { store, batching } = tools
    const spend = store.spend?.bind(store)
    const send: SendSpends | null =
      spend === undefined ? null : (commands, wait) => spend(commands, firstDifference, { now: this.now(), wait })
    this.#spender = send === null ? null : batching ? new SpendQueue(send) : new SpendOneByOne(send)
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

  /**
   * Run one command. `replayed` makes the result of a call whose key or id had been used before; `spending`: what the
   * account row alone may decide, where it can.
   */
  async run<R>(
    store: CreditStore,
    command: Omit<Command, 'now'>,
    decide: Decide<R>,
    replayed: (outcome: Replayed) => R,
    spending: Spending<R> | null = null,
  ): Promise<R> {
    const general = (): Promise<R> => this.#update(store, command, decide, replayed)
    const [account] = command.accounts
    const spender = store === this.#tools.store ? this.#spender : null
    if (spending === null || spender === null || account === undefined) return general()
    const rules = this.#tools.rules.of(account.creditType)
    if (!isDecidedByRow(rules)) return general()
    this.#spending += 1
    try {
      const asked = spendCommand(command, account, spending, alertsOf(rules))
      const outcome = await spender.decide(asked, general)
      return outcome.status === 'general' ? outcome.result : await this.#told(asked, outcome, spending, replayed)
    } catch (error) {
      await this.#forgetUnknown(command, error)
      throw error
    } finally {
      this.#spending -= 1
      if (this.#spending === 0) for (const tell of this.#idle.splice(0)) tell()
    }
  }

  /** The outcome of the fast path as a result or a named error, and the cache told of it. */
  async #told<R>(
    asked: SpendCommand,
    outcome: Exclude<Decided<R>, { status: 'general' }>,
    { result }: Spending<R>,
    replayed: (outcome: Replayed) => R,
  ): Promise<R> {
    const { userId, creditType, amount } = asked
    const { balances, telemetry } = this.#tools
    switch (outcome.status) {
      case 'applied':
        if (asked.hold === null) telemetry?.moved([{ creditType, transactionType: 'usage', amount: -amount }])
        await balances.forget([{ userId, creditType, version: outcome.version }])
        return result(outcome)
      case 'replayed':
        await balances.forget([{ userId, creditType }])
        return replayed(outcome)
      case 'conflict':
        throw new IdempotencyConflictError(outcome.field)
      case 'insufficient':
        telemetry?.refused({ creditType, amount })
        throw new InsufficientCreditsError(amount, outcome.available)
    }
  }

  /** Resolves once every deduction and hold that was asked for is decided, and the cache told of it. */
  finished(): Promise<void> {
    if (this.#spending === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** The general path. */
  async #update<R>(
    store: CreditStore,
    command: Omit<Command, 'now'>,
    decide: Decide<R>,
    replayed: (outcome: Replayed) => R,
  ): Promise<R> {
    const { balances, rules, events, telemetry } = this.#tools
    const limits = command.accounts.some(({ creditType }) => rules.of(creditType).limits.length > 0)
    const written = { events: false, movements: NO_MOVEMENTS }
    const deciding: Decide<R> = (state, now) => {
      const decision = decide(state, now)
      written.events = decision.accounts.some((changes) => changes.events.length > 0)
      if (telemetry !== null) written.movements = decision.accounts.flatMap(({ transactions }) => transactions)
      // Kept beside the ledger, where one statement that also waits for the account can't be sure to see it.
      if (command.key !== null && decision.main === null)
        for (const { account } of decision.accounts) account.keyVersion = account.version
      return decision
    }
    const whole = { ...command, load: { ...command.load, limits }, now: this.now() }
    const outcome = await store.update(whole, deciding, firstDifference).catch(async (error: unknown) => {
      await this.#forgetUnknown(command, error)
      if (error instanceof InsufficientCreditsError) telemetry?.refused(refusal(command, error))
      throw error
    })
    if (outcome.status === 'conflict') throw new IdempotencyConflictError(outcome.field)
    if (outcome.status === 'applied') telemetry?.moved(written.movements)
    // Also after a replay: it may be our own retry of a write whose answer was lost.
    await balances.forget(outcome.accounts)
    if (written.events && store === this.#tools.store) events.wake()
    return outcome.status === 'replayed' ? replayed(outcome) : outcome.result
  }

  /** It may have happened: what was remembered may be old. */
  async #forgetUnknown({ accounts }: Pick<Command, 'accounts'>, error: unknown): Promise<void> {
    if (isCreditError(error, 'OUTCOME_UNKNOWN')) await this.#tools.balances.forget(accounts)
  }

  /**
   * Run a command that writes one transaction of its own to one account. `beyond`: what was asked beside the columns;
   * `use`: it does nothing but take so many credits, and keeps `request` of it.
   */
  async write<T extends string>(
    { store, account }: AccountCall<T>,
    input: WriteInput,
    beyond: CommandRequest,
    load: StateQuery,
    decide: (posting: Posting, details: CommandDetails, state: State) => Transaction,
    use: { amount: number; keep: (request: JsonObject | null) => JsonObject | null } | null = null,
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
      use === null ? null : useOf<T>(account, key, use.amount, { ...details, request: use.keep(kept) }),
    )
  }
}

const NO_MOVEMENTS: readonly CreditMovement[] = []

/** Whose credits were too few: of commands over several types, nobody says which. */
function refusal(
  { accounts }: Pick<Command, 'accounts'>,
  { required }: InsufficientCreditsError,
): { creditType: string | null; amount: number } {
  const types = new Set(accounts.map(({ creditType }) => creditType))
  const [creditType = null] = types.size === 1 ? types : []
  return { creditType, amount: required }
}

/** A deduction or a hold, as far as the account row alone can decide it, and its result. */
export interface Spending<R> extends Pick<SpendCommand, 'key' | 'amount' | 'hold'> {
  details: HoldDetails
  result: (spent: Spent) => R
}

/** A use that is nothing but that. */
function useOf<T extends string>(
  account: AccountKey,
  key: string | null,
  amount: number,
  details: CommandDetails,
): Spending<CreditTransaction<T>> {
  const result = (spent: Spent): CreditTransaction<T> =>
    toCreditTransaction<T>(spentTransaction(account, amount, details, spent))
  return { key, amount, details, hold: null, result }
}

/** Field by field, as in `toCreditTransaction`: this runs for every deduction. */
function spendCommand(
  { id, request }: Pick<Command, 'id' | 'request'>,
  { userId, creditType }: AccountKey,
  { key, amount, details, hold }: Omit<Spending<unknown>, 'result'>,
  alerts: SpendCommand['alerts'],
): SpendCommand {
  const { description, referenceId, referenceType, metadata, actor, request: kept } = details
  return {
    id,
    userId,
    creditType,
    key,
    request,
    amount,
    description,
    referenceId,
    referenceType,
    metadata,
    actor,
    kept,
    hold,
    alerts,
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
