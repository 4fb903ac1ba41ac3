import { Balances } from './balances.js'
import { checkOptions } from './checked-options.js'
import { type AccountCall, Commands } from './commands.js'
import type { CreditServiceOptions } from './credit-service-options.js'
import { CreditTypes, DEFAULT_CREDIT_TYPES } from './credit-types.js'
import { openDefaultCache, openDefaultStore } from './defaults.js'
import { PaymentsNotConfiguredError } from './errors.js'
import { EventDelivery } from './event-delivery.js'
import { canonicalUserId } from './inputs.js'
import type { AccountKey } from './ledger/account.js'
import { PriceList } from './operations.js'
import { Plans } from './plans.js'
import { consoleLogger, type Logger } from './ports/logger.js'
import type { CreditStore } from './ports/store.js'
import { ServiceRules } from './service-rules.js'
import type { Till } from './till.js'
import { runTopup } from './topups.js'

/** The tools a service works with, open. */
export interface Opened {
  store: CreditStore
  balances: Balances
  commands: Commands
  events: EventDelivery
}

/**
 * What all methods of one service share: its options, read once, and its tools, opened with the first call. A session may
 * be bound to a host's database transaction: then everything runs inside of it.
 */
export class Session<T extends string> {
  readonly options: CreditServiceOptions<T>
  readonly types: CreditTypes<T>
  readonly rules: ServiceRules<T>
  readonly prices: PriceList<T>
  readonly plans: Plans<T>
  readonly logger: Logger
  readonly #tx: unknown
  readonly #outer: Session<T> | null
  #opened: Promise<Opened> | null = null

  constructor(options: CreditServiceOptions<T>, bound: { outer: Session<T>; tx: unknown } | null = null) {
    if (bound === null) checkOptions(options)
    this.options = options
    this.logger = options.logger ?? consoleLogger
    // Without a list the type parameter is the guide's own three.
    this.types = new CreditTypes(options.creditTypes ?? (DEFAULT_CREDIT_TYPES as readonly string[] as readonly T[]))
    this.rules = new ServiceRules(options, this.types)
    this.prices = new PriceList(options.operations ?? {}, this.types)
    this.plans = new Plans(options.plans ?? {}, this.types)
    this.#outer = bound?.outer ?? null
    this.#tx = bound?.tx
  }

  /** The same, inside of a host's database transaction. */
  within(tx: unknown): Session<T> {
    return new Session(this.options, { outer: this.#outer ?? this, tx })
  }

  open(): Promise<Opened> {
    this.#opened ??= (this.#outer === null ? this.#openOwn() : this.#openWithin(this.#outer)).catch(
      (error: unknown) => {
        this.#opened = null
        throw error
      },
    )
    return this.#opened
  }

  /** The store a call with this `tx` (the host's own database transaction, where it has one) works on. */
  async store(tx: unknown): Promise<CreditStore> {
    const { store } = await this.open()
    return tx === undefined ? store : store.within(tx)
  }

  /** A call on one account: its credit type checked, its user's id made canonical. */
  async account(input: {
    userId: string | number
    creditType?: string | undefined
    tx?: unknown
  }): Promise<AccountCall<T>> {
    // An unknown type is refused before anything is opened.
    this.types.resolve(input.creditType)
    const store = await this.store(input.tx)
    return { store, account: this.accountKey(input, store) }
  }

  /** Which account of the store it is. */
  accountKey(
    { userId, creditType }: { userId: string | number; creditType?: string | undefined },
    { userIdType }: CreditStore,
  ): AccountKey & { creditType: T } {
    return { userId: canonicalUserId(userId, userIdType), creditType: this.types.resolve(creditType) }
  }

  /** The tools payments are processed with. Throws `PaymentsNotConfiguredError` when there is no provider. */
  async till(): Promise<Till> {
    const { payments: provider, clawbackPolicy = 'debt' } = this.options
    if (provider === undefined) throw new PaymentsNotConfiguredError()
    const { store, commands } = await this.open()
    const { plans, logger } = this
    return { store, commands, provider, plans, clawbackPolicy, logger, clock: () => this.now() ?? new Date() }
  }

  async userId(input: { userId: string | number }): Promise<string> {
    return canonicalUserId(input.userId, (await this.open()).store.userIdType)
  }

  /** May this user see it? Without `userId`, the host has decided. */
  async owns(input: { userId?: string | number | undefined }, found: AccountKey): Promise<boolean> {
    return input.userId === undefined || (await this.userId({ userId: input.userId })) === found.userId
  }

  /** The injected time, or null for the store's own clock. */
  now(): Date | null {
    return this.options.clock?.now() ?? null
  }

  /** Ends what is open; a bound session has nothing of its own. */
  async close(): Promise<void> {
    if (this.#outer !== null) return
    const opened = this.#opened
    this.#opened = null
    if (opened === null) return
    const { store, balances, events, commands } = await opened
    await commands.finished()
    await events.finished()
    await balances.close()
    await store.close()
  }

  async #openOwn(): Promise<Opened> {
    const { clock = null, cache, on = {}, waitUntil = null, batching = true, telemetry = null } = this.options
    const store = this.options.store ?? (await openDefaultStore())
    const balances = new Balances(
      clock === null ? (cache === undefined ? await openDefaultCache(store) : cache) : null,
      this.logger,
    )
    const ownCallbacks =
      this.options.payments === undefined
        ? {}
        : { topupDue: async (account: AccountKey) => runTopup(await this.till(), account) }
    const events = new EventDelivery({ store, on: { ...on, ...ownCallbacks }, waitUntil, clock, logger: this.logger })
    return {
      store,
      balances,
      events,
      commands: new Commands({ clock, balances, rules: this.rules, events, store, batching, telemetry }),
    }
  }

  async #openWithin(outer: Session<T>): Promise<Opened> {
    const opened = await outer.open()
    // What is not committed is nothing for others to see: reads go past the cache.
    return { ...opened, balances: opened.balances.uncached(), store: opened.store.within(this.#tx) }
  }
}
