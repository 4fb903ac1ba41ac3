import { v7 as uuidv7 } from 'uuid'
import { expect } from 'vitest'
import { InsufficientCreditsError } from '../../../src/errors.js'
import type { Account, AccountKey } from '../../../src/ledger/account.js'
import { NO_RULES } from '../../../src/ledger/account-state.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { holdCredits } from '../../../src/ledger/hold.js'
import { Posting } from '../../../src/ledger/posting.js'
import { firstDifference } from '../../../src/ledger/request.js'
import type { Transaction } from '../../../src/ledger/transaction.js'
import type { CreditStore, SpendCommand, SpendOutcome } from '../../../src/ports/store.js'
import { accountStateOf, type Bench, details, expectSound } from './bench.js'

/** A deduction as `deductCredits` asks for it; where nothing is said, the simplest there is. */
export function use(key: AccountKey, amount: number, given: Partial<SpendCommand> = {}): SpendCommand {
  const { description, referenceId, referenceType, metadata, actor } = details({ description: 'Use' })
  const command = { ...key, amount, description, referenceId, referenceType, metadata, actor, key: null, ...given }
  return {
    id: uuidv7(),
    kept: null,
    hold: null,
    alerts: null,
    ...command,
    request: [
      ['operation', command.hold === null || command.hold === undefined ? 'deduct' : 'hold'],
      ['creditType', key.creditType],
      ['amount', command.hold == null ? -amount : amount],
      ['description', command.description],
      ['referenceId', command.referenceId],
      ['referenceType', command.referenceType],
      ['metadata', command.metadata],
    ],
  }
}

/** A hold as `holdCredits` asks for it. */
export function hold(key: AccountKey, amount: number, given: Partial<SpendCommand> = {}, seconds = 900): SpendCommand {
  const id = given.id ?? uuidv7()
  const kept = { seconds, key: given.key ?? `creditkit:${id}`, result: { holdId: id } }
  return use(key, amount, { description: 'Hold', ...given, id, hold: kept })
}

/** What a call came to, by whichever path. */
export type Decided =
  | { status: 'applied'; seq: number; balanceAfter: number }
  | { status: 'replayed'; id: string | null }
  | { status: 'conflict'; field: string }
  | { status: 'insufficient'; available: number }

/** What calls came to, and what the first batch said of them. */
export interface Batch {
  decided: Decided[]
  /** A store without a fast path can tell nothing. */
  first: SpendOutcome[]
}

/**
 * Decide a batch as the service does: by `spend`, where the store has it; what it can't tell by `update`, in order. So the
 * answers are the same on every store.
 */
export async function decideAll(store: CreditStore, commands: readonly SpendCommand[], now: Date): Promise<Batch> {
  const unable = commands.map((): SpendOutcome => ({ status: 'undecided' }))
  const first = (await store.spend?.(commands, firstDifference, { now, wait: true })) ?? unable
  expect(first).toHaveLength(commands.length)
  expectOrder(commands, first)
  const decided: Decided[] = []
  for (const [index, command] of commands.entries())
    decided.push(asDecided(first[index]) ?? (await inGeneral(store, command, now)))
  return { decided, first }
}

/** Behind a call of an account that could not be told, nothing of it is written or refused. */
function expectOrder(commands: readonly SpendCommand[], outcomes: readonly SpendOutcome[]): void {
  const open = new Set<string>()
  for (const [index, { userId, creditType }] of commands.entries()) {
    const account = JSON.stringify([userId, creditType])
    const status = outcomes[index]?.status
    expect(status).not.toBe('busy')
    if (open.has(account)) expect(['undecided', 'replayed', 'conflict']).toContain(status)
    if (status === 'undecided') open.add(account)
  }
}

function asDecided(outcome: SpendOutcome | undefined): Decided | null {
  switch (outcome?.status) {
    case 'applied':
      return { status: 'applied', seq: outcome.seq, balanceAfter: outcome.balanceAfter }
    case 'replayed':
      return { status: 'replayed', id: outcome.transaction?.id ?? null }
    case 'conflict':
    case 'insufficient':
      return outcome
    default:
      return null
  }
}

async function inGeneral(store: CreditStore, command: SpendCommand, now: Date): Promise<Decided> {
  const { id, userId, creditType, amount, request, kept: stored } = command
  const { description, referenceId, referenceType, metadata, actor } = command
  const asked = { id, request: stored, description, referenceId, referenceType, metadata, actor }
  const key = command.hold?.key ?? command.key
  const account = { userId, creditType }
  const load = { grants: { covering: amount } }
  try {
    const outcome = await store.update<Decided>(
      { id, userId, key, request, accounts: [account], load, now },
      ({ accounts: [state] }, at) => {
        if (state === undefined) throw new Error('decideAll: the account was not loaded')
        const posting = new Posting(state, at, uuidv7, NO_RULES)
        const seconds = command.hold?.seconds
        let main: Transaction | null = null
        if (seconds === undefined) main = deductCredits(posting, { ...asked, idempotencyKey: key, amount })
        else holdCredits(posting, { ...asked, amount, expiresInSeconds: seconds })
        const changes = posting.finish()
        const { seq, balance } = changes.account
        if (key !== null && main === null) changes.account.keyVersion = changes.account.version
        const result = { status: 'applied', seq, balanceAfter: balance } as const
        const kept = command.hold === null ? {} : { keptResult: command.hold.result }
        return { result, main, accounts: [changes], ...kept }
      },
      firstDifference,
    )
    if (outcome.status === 'applied') return outcome.result
    if (outcome.status === 'conflict') return outcome
    return { status: 'replayed', id: outcome.transaction?.id ?? null }
  } catch (error) {
    if (!(error instanceof InsufficientCreditsError)) throw error
    return { status: 'insufficient', available: error.available }
  }
}

/** An account's row. */
export async function rowOf(bench: Bench, key: AccountKey, now: Date): Promise<Account> {
  return (await accountStateOf(bench.store, key, { now })).account
}

/** An account's uses, oldest first; its user's accounts are sound. */
export async function usesOf(bench: Bench, key: AccountKey): Promise<Transaction[]> {
  const uses: Transaction[] = []
  await bench.store.scanAccounts(key, ({ account, transactions }) => {
    if (account.creditType === key.creditType)
      uses.push(...transactions.filter(({ transactionType }) => transactionType === 'usage'))
  })
  await expectSound(bench.credits(), key.userId)
  return uses.sort((a, b) => a.seq - b.seq)
}
