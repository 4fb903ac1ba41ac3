import { v7 as uuidv7 } from 'uuid'
import { expect } from 'vitest'
import type { CreditService } from '../../../src/credit-service.js'
import type { CreditServiceOptions } from '../../../src/credit-service-options.js'
import type { Account, AccountKey } from '../../../src/ledger/account.js'
import {
  type AccountChanges,
  type AccountRules,
  type AccountState,
  NO_RULES,
} from '../../../src/ledger/account-state.js'
import { addCredits, type Addition, type CommandDetails } from '../../../src/ledger/add.js'
import type { Decision, State } from '../../../src/ledger/decision.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { Posting } from '../../../src/ledger/posting.js'
import { firstDifference } from '../../../src/ledger/request.js'
import type { Transaction } from '../../../src/ledger/transaction.js'
import type { Clock } from '../../../src/ports/clock.js'
import type { Applied, Command, Conflict, CreditStore, Decide, Replayed, StateQuery } from '../../../src/ports/store.js'

/** What every test of the contract works with: the store under test, and fresh users on it. */
export interface Bench {
  readonly store: CreditStore
  /** A user nobody has heard of. */
  newUser(): Promise<string>
  /** The public API on the store: on the store's own clock, or on the given one. Nothing is cached. */
  credits(clock?: Clock, options?: CreditServiceOptions): CreditService
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

/** A decision that writes nothing. */
export const NOTHING: Decision<null> = { result: null, main: null, accounts: [] }

/** What a command is given to decide by; nothing is written. */
export async function stateOf(store: CreditStore, command: Command): Promise<State> {
  let seen: State | undefined
  await run(store, command, (state) => {
    seen = state
    return NOTHING
  })
  if (seen === undefined) throw new Error('stateOf: the command was not decided')
  return seen
}

/** One account as a command is given it, beyond what it always sees by what `load` asks for. */
export async function accountStateOf(
  store: CreditStore,
  key: AccountKey,
  { now, load }: { now: Date; load?: Partial<StateQuery> },
): Promise<AccountState> {
  const command = newCommand([key], { now, load: { grants: { covering: 0 }, ...load } })
  const [state] = (await stateOf(store, command)).accounts
  if (state === undefined) throw new Error('accountStateOf: the account was not loaded')
  return state
}

/** Do something to one account by the ledger's own rules, at `now`; returns what was written. */
export async function change(
  store: CreditStore,
  key: AccountKey,
  now: Date | null,
  work: (posting: Posting) => void,
  { rules = NO_RULES, load }: { rules?: AccountRules; load?: Partial<StateQuery> } = {},
): Promise<AccountChanges> {
  const command = newCommand([key], { now, load: { grants: 'open', ...load } })
  const outcome = await run(store, command, ({ accounts: [state] }, at) => {
    if (state === undefined) throw new Error('change: the account was not loaded')
    const posting = new Posting(state, at, uuidv7, rules)
    work(posting)
    const changes = posting.finish()
    return { result: changes, main: null, accounts: [changes] }
  })
  if (outcome.status !== 'applied') throw new Error(`change: ${outcome.status}`)
  return outcome.result
}

/** What a transaction carries beside its numbers, under a new id; where nothing is said, the simplest there is. */
export function details(given: Partial<CommandDetails> = {}): CommandDetails {
  return { ...noDetails, id: uuidv7(), idempotencyKey: null, request: null, ...given }
}

/** An addition in full; where nothing is said, the simplest there is. */
export function addition(amount: number, given: Partial<Addition> = {}): Addition {
  const base = details()
  return {
    ...base,
    grantId: base.id,
    amount,
    transactionType: 'adjustment',
    source: 'adjustment',
    effectiveAt: null,
    expiresAt: null,
    priority: 0,
    paidAmount: null,
    currency: null,
    purchaseId: null,
    ...given,
  }
}

/** Add this many credits to every account of a command. Its own row is the first account's. */
export function adding(command: Command, amount: number): Decide<number> {
  return posting(command, (account, details) =>
    addCredits(account, addition(amount, { ...details, grantId: details.id })),
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
    return { result: null, main: null, accounts: [changesOf(account)] }
  })
}

/** An account's row and nothing else of it. */
export function changesOf(account: Account): AccountChanges {
  return {
    account,
    transactions: [],
    newGrants: [],
    changedGrants: [],
    holds: [],
    schedules: [],
    limitCounts: [],
    topup: null,
    events: [],
  }
}

/** The row with this id; it must be there. */
export function named<T extends { id: string }>(rows: readonly T[], id: string | undefined): T {
  const row = rows.find((each) => each.id === id)
  if (row === undefined) throw new Error(`no row ${String(id)}`)
  return row
}
