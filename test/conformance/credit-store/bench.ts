import { v7 as uuidv7 } from 'uuid'
import { expect } from 'vitest'
import type { CreditService } from '../../../src/credit-service.js'
import type { Account, AccountKey } from '../../../src/ledger/account.js'
import { addCredits, type CommandDetails } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { Posting } from '../../../src/ledger/posting.js'
import { firstDifference } from '../../../src/ledger/request.js'
import type { Transaction } from '../../../src/ledger/transaction.js'
import type { Clock } from '../../../src/ports/clock.js'
import type { Applied, Command, Conflict, CreditStore, Decide, Replayed } from '../../../src/ports/store.js'

/** What every test of the contract works with: the store under test, and fresh users on it. */
export interface Bench {
  readonly store: CreditStore
  /** A user nobody has heard of. */
  newUser(): Promise<string>
  /** The public API on the store: on the store's own clock, or on the given one. */
  credits(clock?: Clock): CreditService
}

/** A clock that moves only when told to. */
export interface StoppedClock extends Clock {
  advance(ms: number): void
  set(time: string): void
}

export const SECOND = 1000
export const DAY = 86_400_000

export function stoppedClock(start = '2026-03-10T12:00:00.000Z'): StoppedClock {
  let time = Date.parse(start)
  return {
    now: () => new Date(time),
    advance: (ms) => (time += ms),
    set: (next) => (time = Date.parse(next)),
  }
}

/** `clock`'s time and `ms` more. */
export function later(clock: Clock, ms: number): Date {
  return new Date(clock.now().getTime() + ms)
}

/** Every promise, whether it was kept or not: successes and the errors' codes. */
export async function outcomes<T>(
  calls: readonly Promise<T>[],
): Promise<{ succeeded: T[]; codes: Record<string, number> }> {
  const succeeded: T[] = []
  const codes: Record<string, number> = {}
  for (const outcome of await Promise.allSettled(calls)) {
    if (outcome.status === 'fulfilled') {
      succeeded.push(outcome.value)
      continue
    }
    const error: unknown = outcome.reason
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    codes[code] = (codes[code] ?? 0) + 1
  }
  return { succeeded, codes }
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** No sum rule of the user's accounts is broken. */
export async function expectSound(credits: CreditService, userId: string): Promise<void> {
  expect((await credits.verify({ userId })).violations).toEqual([])
}

/** A command on the port itself, without a key unless one is given. */
export function newCommand(
  accounts: readonly AccountKey[],
  { userId = accounts[0]?.userId ?? 'nobody', ...rest }: Partial<Command> = {},
): Command {
  return { id: uuidv7(), key: null, request: [], accounts, load: { grants: 'open' }, now: null, userId, ...rest }
}

export function run<R>(
  store: CreditStore,
  command: Command,
  decide: Decide<R>,
): Promise<Applied<R> | Replayed | Conflict> {
  return store.update(command, decide, firstDifference)
}

/** Add this many credits to every account of a command. Its own row is the first account's. */
export function adding(command: Command, amount: number): Decide<number> {
  return posting(command, (account, details) =>
    addCredits(account, {
      ...details,
      grantId: details.id,
      amount,
      transactionType: 'adjustment',
      source: 'adjustment',
      effectiveAt: null,
      expiresAt: null,
      priority: 0,
      paidAmount: null,
      currency: null,
      purchaseId: null,
    }),
  )
}

/** Take this many credits from every account of a command. */
export function deducting(command: Command, amount: number): Decide<number> {
  return posting(command, (account, details) => deductCredits(account, { ...details, amount }))
}

/** The same rule for every account of a command; the result is the number of accounts. */
function posting(command: Command, post: (posting: Posting, details: CommandDetails) => Transaction): Decide<number> {
  return (state, now) => {
    const details = { ...noDetails, idempotencyKey: command.key, request: null }
    const posted = state.accounts.map((account, index) => {
      const each = new Posting(account, now, uuidv7)
      const own = index === 0 ? details : { ...details, idempotencyKey: null }
      return { transaction: post(each, { ...own, id: index === 0 ? command.id : uuidv7() }), changes: each.finish() }
    })
    return {
      result: posted.length,
      main: posted[0]?.transaction ?? null,
      accounts: posted.map(({ changes }) => changes),
    }
  }
}

const noDetails = { description: 'By the port', referenceId: null, referenceType: null, metadata: null, actor: null }

/** Write an account's row as it must never be, past every rule. */
export async function plant(store: CreditStore, key: AccountKey, wrong: Partial<Account>): Promise<void> {
  await run(store, newCommand([key]), ({ accounts: [state] }) => {
    if (state === undefined) throw new Error('plant: the account was not loaded')
    const account = { ...state.account, version: state.account.version + 1, ...wrong }
    return { result: null, main: null, accounts: [{ account, transactions: [], newGrants: [], changedGrants: [] }] }
  })
}
