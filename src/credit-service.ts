import { additionRequest } from './additions.js'
import { rebuildFromLedger, verifyLedger, type VerifyReport } from './audits.js'
import type {
  AccountInput,
  AddCreditsInput,
  AdjustCreditsInput,
  DeductCreditsInput,
  RefundCreditsInput,
  UserId,
} from './credit-inputs.js'
import { type BalanceCheck, type CreditBalance, toCreditBalance } from './credit-balance.js'
import type { CreditServiceOptions } from './credit-service-options.js'
import { type CreditTransaction, toCreditTransaction } from './credit-transaction.js'
import { CreditFeatures } from './credit-features.js'
import type { CreditTypePosition, DefaultCreditType, LastCreditType } from './credit-types.js'
import { decodeCursor, encodeCursor } from './cursor.js'
import { TransactionNotFoundError } from './errors.js'
import * as inputs from './inputs.js'
import { instrument } from './instrumentation.js'
import type { AccountCall } from './commands.js'
import { addCredits } from './ledger/add.js'
import { adjustCredits } from './ledger/adjust.js'
import { deductCredits } from './ledger/deduct.js'
import { refundCredits } from './ledger/refund.js'
import type { CommandRequest } from './ledger/request.js'
import type { TransactionType } from './ledger/transaction.js'
import { Marketplace } from './marketplace.js'
import type { TransactionQuery } from './ports/store.js'
import { namedArguments } from './positional.js'
import { getBalanceAt } from './reports.js'
import { type Opened, Session } from './session.js'
import { type UsageStats, usageStats } from './usage-stats.js'
import { handleWebhookRequest } from './webhook.js'

/**
 * Prepaid credits. Every method takes one object; the guide's positional form works too. Amounts are whole credits.
 *
 * Any method may throw `InvalidInputError` or `InvalidAmountError` (before anything is asked of the database),
 * `UnavailableError` (surely nothing was written; try again) and `StoreNotConfiguredError`; writes also
 * `OutcomeUnknownError` (try again with the same idempotency key) and `IdempotencyConflictError`.
 */
export class CreditService<const T extends string = DefaultCreditType> extends CreditFeatures<T> {
  /** Packages, checkouts and everything else about selling credits. */
  readonly marketplace: Marketplace<T>
  /** The cache of balances, under the guide's keys `user_credits:{userId}:{creditType}`. */
  readonly cache: { invalidate(key: string): Promise<void> }

  readonly #session: Session<T>

  /** `session`: not for hosts; how `transaction` makes a service bound to it. */
  constructor(options: CreditServiceOptions<T> = {}, session = new Session<T>(options)) {
    super(session)
    this.#session = session
    this.cache = { invalidate: async (key) => (await session.open()).balances.invalidate(key) }
    this.marketplace = new Marketplace<T>(session)
    instrument(this, [CreditService, CreditFeatures], session)
  }

  /**
   * Credits available now; negative while there is debt; 0 for an unknown account. May be up to 60 s old (see `cache`).
   * `at`: those that were available at a past moment, counted from the ledger.
   */
  getBalance(userId: UserId, ...[creditType]: LastCreditType<T>): Promise<number>
  getBalance(userId: UserId, creditType: CreditTypePosition<T>, past: { at: Date }): Promise<number>
  async getBalance(userId: UserId, creditType?: T, past?: { at: Date }): Promise<number> {
    if (past !== undefined) return getBalanceAt(this.#session, { userId, creditType, past })
    const input = inputs.parseInput(inputs.accountInput, { userId, creditType })
    this.#session.types.resolve(input.creditType)
    const { store, balances } = await this.#open()
    return balances.read(store, this.#session.accountKey(input, store), this.#session.now())
  }

  /** Every configured credit type's figures, from the database and one snapshot. */
  async getAllBalances(userId: UserId): Promise<Record<T, CreditBalance>> {
    const { userId: checked } = inputs.parseInput(inputs.accountInput, { userId })
    const { store } = await this.#open()
    const found = await store.readBalances(await this.#session.userId({ userId: checked }), this.#session.now())
    const byType = new Map(found.map((balance) => [balance.creditType, balance]))
    const entries = this.#session.types.names.map((name) => [name, toCreditBalance(byType.get(name))] as const)
    return Object.fromEntries(entries) as Record<T, CreditBalance>
  }

  /** Would `required` credits be there? An answer for display, from the database: only a deduction decides. */
  async checkBalance(userId: UserId, creditType: CreditTypePosition<T>, required: number): Promise<BalanceCheck> {
    const input = inputs.parseInput(inputs.checkBalanceInput, { userId, creditType, required })
    const { store, account } = await this.#account(input)
    const { balance } = await store.readBalance(account, (await this.#open()).commands.now())
    return { hasSufficient: balance >= required, balance, required, shortfall: Math.max(0, required - balance) }
  }

  /**
   * Add credits as one grant, which may start later, end, and burn before others. Debt is repaid from it first.
   *
   * @returns The transaction; its `amount` is positive.
   * @throws {InvalidInputError} Also for a grant that would have ended already.
   */
  addCredits(input: AddCreditsInput<T>): Promise<CreditTransaction<T>>
  addCredits(
    userId: UserId,
    amount: number,
    creditType: T,
    description: string,
    transactionType?: 'purchase' | 'refund' | 'adjustment',
    metadata?: Record<string, unknown> | null,
  ): Promise<CreditTransaction<T>>
  async addCredits(...args: unknown[]): Promise<CreditTransaction<T>> {
    const named = namedArguments(args, ['userId', 'amount', 'creditType', 'description', 'transactionType', 'metadata'])
    const input = inputs.parseInput(inputs.addCreditsInput, named)
    const { transactionType, effectiveAt, expiresAt, priority, paidAmount, currency } = input
    const source = input.source ?? transactionType
    const request = additionRequest(input)
    const call = await this.#account(input)
    return (await this.#open()).commands.write(
      call,
      { ...input, amount: input.amount },
      request,
      { grants: { covering: 0 } },
      (posting, details) =>
        addCredits(posting, {
          ...details,
          grantId: details.id,
          amount: input.amount,
          transactionType,
          source,
          effectiveAt,
          expiresAt,
          priority,
          paidAmount,
          currency,
          purchaseId: null,
        }),
    )
  }

  /**
   * Take credits for something the user did. All or nothing: the balance never goes below 0.
   *
   * Safe to retry with the same `idempotencyKey`: a retry returns the first transaction.
   *
   * @returns The usage transaction; its `amount` is negative.
   * @throws {InsufficientCreditsError} The balance does not cover `amount`; nothing was written.
   * @throws {IdempotencyConflictError} The key was used before with other input.
   */
  deductCredits(input: DeductCreditsInput<T>): Promise<CreditTransaction<T>>
  deductCredits(
    userId: UserId,
    amount: number,
    creditType: T,
    description: string,
    referenceId?: string | null,
    referenceType?: string | null,
    metadata?: Record<string, unknown> | null,
  ): Promise<CreditTransaction<T>>
  async deductCredits(...args: unknown[]): Promise<CreditTransaction<T>> {
    const named = namedArguments(args, [
      'userId',
      'amount',
      'creditType',
      'description',
      'referenceId',
      'referenceType',
      'metadata',
    ])
    const input = inputs.parseInput(inputs.deductCreditsInput, named)
    const call = await this.#account(input)
    const { amount } = input
    return (await this.#open()).commands.write(
      call,
      { ...input, amount: -amount },
      [['operation', 'deduct']],
      { grants: { covering: amount } },
      (posting, details) => deductCredits(posting, { ...details, amount }),
      { amount, keep: (request) => request },
    )
  }

  /**
   * Give the credits of a use back, to the grants they came from. Without `amount`: all that is left of the use.
   *
   * @returns The refund transaction; `relatedTransactionId` names the use.
   * @throws {TransactionNotFoundError} No such transaction, or `userId` does not own it.
   * @throws {AlreadyRefundedError} Nothing of the use is left to give back.
   * @throws {NotRefundableError} Not a use, or more than what is left of it.
   */
  async refundCredits(refund: RefundCreditsInput | string): Promise<CreditTransaction<T>> {
    const input = inputs.parseInput(inputs.refundCreditsInput, namedArguments([refund], ['transactionId']))
    const { reason } = input
    const transactionId = input.transactionId.toLowerCase()
    const store = await this.#session.store(input.tx)
    const found = inputs.isRowId(transactionId) ? await store.findTransaction(transactionId) : null
    if (found === null || !(await this.#session.owns(input, found))) throw new TransactionNotFoundError()
    const policy = this.#session.options.refundPolicy ?? 'expire'
    const amount = input.amount ?? null
    const request: CommandRequest = [
      ['operation', 'refund'],
      ['transactionId', transactionId],
      ['amount', amount],
      ['reason', reason],
    ]
    const call = { store, account: { userId: found.userId, creditType: found.creditType as T } }
    const load = { grants: { covering: 0 }, transactions: [transactionId] }
    return (await this.#open()).commands.write(
      call,
      { ...input, description: '', amount: null },
      request,
      load,
      (posting, details, { transactions: [target] }) => {
        if (target === undefined) throw new TransactionNotFoundError()
        const { description, referenceId, referenceType } = target.transaction
        return refundCredits(posting, target, {
          ...details,
          amount,
          policy,
          referenceId,
          referenceType,
          description: reason ?? `Refund: ${description}`.slice(0, 2000).toWellFormed(),
        })
      },
    )
  }

  /**
   * An administrator's correction: positive gives, negative takes, never more than what is available.
   *
   * @throws {InsufficientCreditsError} There is less to take than `amount`; nothing was written.
   */
  adjustCredits(input: AdjustCreditsInput<T>): Promise<CreditTransaction<T>>
  adjustCredits(
    userId: UserId,
    amount: number,
    creditType: T,
    description: string,
    metadata?: Record<string, unknown> | null,
  ): Promise<CreditTransaction<T>>
  async adjustCredits(...args: unknown[]): Promise<CreditTransaction<T>> {
    const named = namedArguments(args, ['userId', 'amount', 'creditType', 'description', 'metadata'])
    const input = inputs.parseInput(inputs.adjustCreditsInput, named)
    const { amount } = input
    const load = { grants: { covering: Math.max(0, -amount) } }
    return (await this.#open()).commands.write(
      await this.#account(input),
      input,
      [['operation', 'adjust']],
      load,
      (posting, details) => adjustCredits(posting, { ...details, amount, grantId: details.id }),
    )
  }

  /** A user's transactions, newest first; of all credit types when none is named. For long lists: `listTransactions`. */
  async getTransactionHistory(
    userId: UserId,
    creditType?: T,
    limit?: number,
    offset?: number,
  ): Promise<CreditTransaction<T>[]> {
    const input = inputs.parseInput(inputs.historyInput, { userId, creditType, limit, offset })
    const { store } = await this.#open()
    const { transactions } = await store.listTransactions({
      ...(await this.#filter(input)),
      limit: input.limit,
      offset: input.offset,
    })
    return transactions.map((row) => toCreditTransaction(row))
  }

  /** A user's transactions, newest first, page by page; every page costs the same. Range half-open. */
  async listTransactions(query: {
    userId: UserId
    creditType?: T | undefined
    transactionType?: TransactionType | undefined
    from?: Date | null | undefined
    to?: Date | null | undefined
    /** 1–200, default 50. */
    limit?: number | undefined
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined
  }): Promise<{ transactions: CreditTransaction<T>[]; nextCursor: string | null }> {
    const input = inputs.parseInput(inputs.listTransactionsInput, query)
    const { store } = await this.#open()
    const { transactions, next } = await store.listTransactions({
      ...(await this.#filter(input)),
      transactionType: input.transactionType ?? null,
      from: input.from,
      to: input.to,
      limit: input.limit,
      after: input.cursor == null ? null : decodeCursor(input.cursor),
    })
    return {
      transactions: transactions.map((row) => toCreditTransaction(row)),
      nextCursor: next === null ? null : encodeCursor(next),
    }
  }

  /** What an account was used for, half-open [startDate, endDate), UTC; default: from its first transaction until now. */
  async getUsageStats(
    userId: UserId,
    ...[creditType, startDate, endDate]: [
      ...LastCreditType<T>,
      startDate?: Date | null | undefined,
      endDate?: Date | null | undefined,
    ]
  ): Promise<UsageStats> {
    const input = inputs.parseInput(inputs.usageInput, { userId, creditType, from: startDate, to: endDate })
    const { store, account } = await this.#account(input)
    const now = (await this.#open()).commands.now()
    const [usage, balance] = await Promise.all([
      store.readUsage(account, input.from, input.to, now),
      store.readBalance(account, now),
    ])
    return usageStats(usage, balance)
  }

  /** Check every sum rule of every account (or of one user's) against the ledger, on one snapshot. Changes nothing. */
  async verify(input: { userId?: UserId | undefined } = {}): Promise<VerifyReport> {
    const { userId } = inputs.parseInput(inputs.verifyInput, input)
    const { store } = await this.#open()
    return verifyLedger(store, userId === undefined ? null : inputs.canonicalUserId(userId, store.userIdType))
  }

  /** Restore an account's row and its grants from its ledger, under the account's lock. For repairs by hand. */
  async rebuild(input: AccountInput<T>): Promise<CreditBalance> {
    const { store, account } = await this.#account(inputs.parseInput(inputs.accountInput, input))
    const { commands } = await this.#open()
    await rebuildFromLedger(store, commands, account)
    return toCreditBalance(await store.readBalance(account, commands.now()))
  }

  /** The payment provider's webhook: verify, act, answer. Mounts call it; the raw body must not have been read. */
  async handleWebhook(request: Request): Promise<Response> {
    return handleWebhookRequest(request, {
      provider: this.#session.options.payments ?? null,
      process: (event) => this.marketplace.processEvent(event),
      logger: this.#session.logger,
    })
  }

  /**
   * Run `work` in one database transaction of the store's: everything done with the `credits` it is given, and whatever
   * the host does itself with `tx` (a Drizzle transaction), commits together, or not at all when `work` throws. Runs once;
   * inside, use nothing but `tx` and `credits`. Balances are forgotten by the cache, and events are told, after the commit.
   *
   * @throws {InvalidInputError} The store has no transactions (`memoryStore`).
   */
  async transaction<R>(work: (inside: { tx: unknown; credits: CreditService<T> }) => Promise<R>): Promise<R> {
    inputs.parseInput(inputs.callback('work'), { work })
    const { store, events } = await this.#open()
    const result = await store.transaction((tx) => {
      const session = this.#session.within(tx)
      return work({ tx, credits: new CreditService(session.options, session) })
    })
    events.wake()
    return result
  }

  /**
   * End the store and the cache this service uses, also when they were passed in; a pool or client inside them that the
   * host made stays open. A service with the default store opens it anew with the next call.
   */
  async close(): Promise<void> {
    await this.#session.close()
  }

  #open(): Promise<Opened> {
    return this.#session.open()
  }

  #account(input: { userId: UserId; creditType?: string | undefined; tx?: unknown }): Promise<AccountCall<T>> {
    return this.#session.account(input)
  }

  /** All of a user's transactions, or those of one credit type. */
  async #filter(input: { userId: UserId; creditType?: string | undefined }): Promise<TransactionQuery> {
    const userId = await this.#session.userId(input)
    const creditType = input.creditType === undefined ? null : this.#session.types.resolve(input.creditType)
    return { userId, creditType, transactionType: null, from: null, to: null, limit: 50, offset: 0, after: null }
  }
}
