import { addMany, type AddManyOptions } from './additions.js'
import type { CreditHold } from './credit-hold.js'
import type { AddCreditsInput, DeductCreditsInput, UserId } from './credit-inputs.js'
import type { CreditTransaction } from './credit-transaction.js'
import { type CreditGrant, endGrant, getGrants, type VoidGrantInput } from './grants.js'
import * as holds from './holds.js'
import * as inputs from './inputs.js'
import { quote, type Quote, type QuoteInput, spend, type SpendInput } from './operations.js'
import * as plans from './plans.js'
import * as reports from './reports.js'
import { type DueReport, runDue, type RunDueInput } from './run-due.js'
import type { Session } from './session.js'
import { deductMany, type DeductManyOptions, transfer, type Transfer, type TransferCreditsInput } from './transfers.js'
import { findUsers, type FindUsersInput, type UserPage } from './users.js'
import { type HeldWork, withHold, type WithHoldInput, type WithHoldResult } from './with-hold.js'

/** The methods of `CreditService` beyond adding, deducting and reading. Each is a file of its own. */
export abstract class CreditFeatures<const T extends string> {
  readonly #session: Session<T>

  constructor(session: Session<T>) {
    this.#session = session
  }

  /**
   * Set credits aside for work that is about to run. They leave the balance at once, and come back when the hold is
   * released or its time runs out.
   *
   * @throws {InsufficientCreditsError} The balance does not cover `amount`; nothing was written.
   * @throws {LimitExceededError} A hold counts as a use.
   */
  async holdCredits(input: holds.HoldCreditsInput<T>): Promise<CreditHold<T>> {
    return holds.createHold(this.#session, inputs.parseInput(holds.holdCreditsInput, input))
  }

  /**
   * Use credits of a hold; by default all of them. What it does not use is given back at the same time, unless `final` is
   * false: then the hold stays open for further captures.
   *
   * @returns The usage transaction; `relatedTransactionId` names the hold.
   * @throws {HoldNotFoundError} No such hold, or `userId` does not own it.
   * @throws {HoldNotOpenError} It was captured or released before, or its time ran out.
   * @throws {InvalidAmountError} More than is left of the hold, without `allowOver`.
   * @throws {InsufficientCreditsError} With `allowOver`: the balance does not cover what goes beyond the hold.
   */
  async captureHold(input: holds.CaptureHoldInput): Promise<CreditTransaction<T>> {
    return holds.capture(this.#session, inputs.parseInput(holds.captureHoldInput, input))
  }

  /**
   * Give back what a hold still pins.
   *
   * @throws {HoldNotFoundError} @throws {HoldNotOpenError} As for `captureHold`.
   */
  async releaseHold(input: holds.HoldInput): Promise<CreditHold<T>> {
    return holds.release(this.#session, inputs.parseInput(holds.releaseHoldInput, input))
  }

  /**
   * Let a hold live for `expiresInSeconds` from now; never shorter than it would have.
   *
   * @throws {HoldNotFoundError} @throws {HoldNotOpenError} As for `captureHold`.
   */
  async extendHold(input: holds.ExtendHoldInput): Promise<CreditHold<T>> {
    return holds.extend(this.#session, inputs.parseInput(holds.extendHoldInput, input))
  }

  /** A user's open holds, soonest to end first: those that balances show as `held`. */
  async getHolds(userId: UserId, creditType?: T): Promise<CreditHold<T>[]> {
    return holds.getHolds(this.#session, { userId, creditType })
  }

  /**
   * One hold as it is now; `expired` from its end on, whether or not anything has run.
   *
   * @throws {HoldNotFoundError} No such hold, or `userId` does not own it.
   */
  async getHold(input: holds.GetHoldInput): Promise<CreditHold<T>> {
    return holds.getHold(this.#session, input)
  }

  /**
   * Hold, run the work, charge what it cost. The work runs with its credits set aside and no database transaction open;
   * when it throws, they are released and its error comes out. It may say what it really cost (`held.setCost`,
   * `held.setParams`), also more than was held.
   *
   * @throws {HoldNotOpenError} Repeated with the key of a call that has ended: its work was done.
   * @throws {HoldInUseError} With `repeats: 'afterFailure'`: repeated while the first call is still at work.
   */
  async withHold<R>(
    input: WithHoldInput<T>,
    work: (held: HeldWork<T>) => R | Promise<R>,
  ): Promise<WithHoldResult<T, R>> {
    return withHold(this.#session, input, work)
  }

  /**
   * Move credits to another user. They keep their expiry, priority and source; the receiver's debt is repaid first.
   *
   * @throws {InsufficientCreditsError} The sender's balance does not cover `amount`; nothing was written.
   */
  async transferCredits(input: TransferCreditsInput<T>): Promise<Transfer<T>> {
    return transfer(this.#session, input)
  }

  /**
   * Several additions, all or none, over any accounts and users, at most 1,000: for imports and payouts. Each may have a
   * key of its own, which means the same as for `addCredits`: one that happened before counts as done, and only the others
   * are written.
   *
   * @throws {IdempotencyConflictError} One of the keys was used before with other input; nothing was written.
   */
  async addMany(
    items: readonly Omit<AddCreditsInput<T>, 'tx'>[],
    options?: AddManyOptions,
  ): Promise<CreditTransaction<T>[]> {
    return addMany(this.#session, items, options)
  }

  /**
   * Several deductions, all or none, over any accounts and users, at most 1,000. Each may have a key of its own: one that
   * happened before counts as done, and only the others are written.
   *
   * @throws {InsufficientCreditsError} One of the balances does not cover its part; nothing was written.
   */
  async deductMany(
    items: readonly Omit<DeductCreditsInput<T>, 'tx'>[],
    options?: DeductManyOptions,
  ): Promise<CreditTransaction<T>[]> {
    return deductMany(this.#session, items, options)
  }

  /** A user's grants that have something left, scheduled ones too, in the order in which they burn. */
  async getGrants(userId: UserId, creditType?: T): Promise<CreditGrant<T>[]> {
    return getGrants(this.#session, { userId, creditType })
  }

  /**
   * End a grant: its free credits are gone at once, those that holds pin stay capturable and go when they are released.
   * Voiding a grant with nothing left changes nothing.
   *
   * @throws {GrantNotFoundError} No such grant, or `userId` does not own it.
   */
  async voidGrant(input: VoidGrantInput): Promise<CreditGrant<T>> {
    return endGrant(this.#session, input)
  }

  /** What a call of an operation would cost and, for a user, whether they can pay. Only spending decides. */
  async quote(input: QuoteInput): Promise<Quote<T>> {
    return quote(this.#session, input)
  }

  /**
   * Deduct what an operation costs. A repeat with the same key returns the first result, also when the price has changed.
   *
   * @throws {InvalidInputError} An unknown operation.
   * @throws {InsufficientCreditsError} @throws {LimitExceededError} As for `deductCredits`.
   */
  async spend(input: SpendInput): Promise<CreditTransaction<T>> {
    return spend(this.#session, input)
  }

  /**
   * One transaction by its id, as it was written; `explain` tells more of it.
   *
   * @throws {TransactionNotFoundError} No such transaction, or `userId` does not own it.
   */
  async getTransaction(input: reports.GetTransactionInput): Promise<CreditTransaction<T>> {
    return reports.getTransaction(this.#session, input)
  }

  /** Which grants a transaction touched and why in this order, the payments that brought them, and its price version. */
  async explain(
    transaction: string | { transactionId: string; userId?: UserId | undefined },
  ): Promise<reports.Explanation<T>> {
    return reports.explain(
      this.#session,
      typeof transaction === 'string' ? { transactionId: transaction } : transaction,
    )
  }

  /**
   * Give a user the recurring credits of a plan, those of the running period at once. A user has one plan at a time;
   * starting the one they have brings its amounts up to date.
   *
   * @throws {InvalidInputError} An unknown plan, or the user has another one.
   */
  async startPlan(input: plans.StartPlanInput): Promise<plans.UserPlan<T>> {
    return plans.startPlan(this.#session, input)
  }

  /**
   * Go on with another plan: of the running period only the difference is granted, and nothing is taken, so that changing
   * to and fro gains nothing. Credits that were bought are not touched.
   *
   * @throws {InvalidInputError} An unknown plan, or the user has none to change.
   */
  async changePlan(input: plans.PlanInput): Promise<plans.UserPlan<T>> {
    return plans.changePlan(this.#session, input)
  }

  /** No more periods. What the plan granted stays usable until the running period ends. Null: there was no plan. */
  async endPlan(input: Omit<plans.PlanInput, 'plan'>): Promise<plans.UserPlan<T> | null> {
    return plans.endPlan(this.#session, input)
  }

  /** The user's plan: the active one, else the one that ended last. */
  async getPlan(userId: UserId): Promise<plans.UserPlan<T> | null> {
    return plans.getPlan(this.#session, { userId })
  }

  /**
   * For a cron job: write expiries, timed-out holds and new periods of plans that nobody has come across, and tell waiting
   * events. Balances are right without it; safe to run at the same time in any number of processes.
   */
  async runDue(input?: RunDueInput): Promise<DueReport> {
    return runDue(this.#session, input)
  }

  /**
   * Users who have an account and whose id begins with `search` (capitals count, `%` and `_` are themselves), in order of id as
   * text, with their available credits; page by page. A page costs what its users' balances cost, however many users there are.
   */
  async findUsers(input: FindUsersInput = {}): Promise<UserPage<T>> {
    return findUsers(this.#session, input)
  }

  /** Figures over all users, half-open [from, to), UTC. */
  async getMetrics(query: { from: Date; to: Date; creditType?: T | undefined }): Promise<reports.CreditMetrics> {
    return reports.getMetrics(this.#session, query)
  }

  /**
   * Forget a person and keep the ledger: texts, references, metadata and actors of theirs are emptied; where user ids are
   * text, theirs becomes an anonymous one. Their payments' ids stay, for the books.
   */
  async anonymizeUser(input: { userId: UserId }): Promise<reports.Forgotten> {
    return reports.anonymizeUser(this.#session, input)
  }
}
