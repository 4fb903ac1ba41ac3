import * as z from 'zod'
import { newRowId } from './row-id.js'
import { type CreditHold, toCreditHold } from './credit-hold.js'
import type { CreditTypeField } from './credit-types.js'
import type { ReferenceOptions, UserId, WriteOptions } from './credit-inputs.js'
import type { CreditTransaction } from './credit-transaction.js'
import { HoldNotFoundError } from './errors.js'
import * as inputs from './inputs.js'
import type { State } from './ledger/decision.js'
import { captureHold, extendHold, type Hold, holdCredits, releaseHold } from './ledger/hold.js'
import type { Posting } from './ledger/posting.js'
import type { CommandRequest } from './ledger/request.js'
import { spentHold } from './ledger/spent.js'
import type { JsonObject, Transaction } from './ledger/transaction.js'
import type { CreditStore } from './ports/store.js'
import { readWritten } from './read-written.js'
import type { Session } from './session.js'

/** How long a hold lives unless the caller says otherwise, in seconds. */
export const DEFAULT_HOLD_SECONDS = 900

const MAX_HOLD_SECONDS = 31 * 86_400

export const holdSeconds = z.number().int().positive().max(MAX_HOLD_SECONDS)

/**
 * What `holdCredits` takes. The credits leave the balance at once and count as used only when they are captured.
 * `description`, references and metadata go on to the captures.
 */
export type HoldCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions &
  ReferenceOptions & {
    userId: UserId
    /** Credits, a positive integer. */
    amount: number
    /** Shown in the user's history once captured; at most 2,000 characters. */
    description: string
    /** Default 900 seconds, at most 31 days. From then on the hold no longer counts, whether or not anything runs. */
    expiresInSeconds?: number | undefined
  }

export const holdCreditsInput = inputs.deductCreditsInput.extend({
  expiresInSeconds: holdSeconds.default(DEFAULT_HOLD_SECONDS),
})

/**
 * Which hold, for `releaseHold`. Releasing and extending write no transaction of their own, so `actor` and `metadata`
 * are kept only by captures.
 */
export interface HoldInput extends WriteOptions {
  holdId: string
  /** Where given, must own the hold; else anybody's is found. Give it where the id came from a user. */
  userId?: UserId | undefined
}

const holdInput = z.object({ holdId: inputs.rowId, userId: inputs.userId.optional(), ...inputs.everyWrite })

/** What `captureHold` takes. Several captures of one hold need `final: false` on all but the last. */
export interface CaptureHoldInput extends HoldInput {
  /** Credits, a positive integer. Default: all that is left of the hold. */
  amount?: number | undefined
  /** May take more than is left of the hold, as an ordinary deduction: all or nothing. Default false. */
  allowOver?: boolean | undefined
  /** Default true: the hold ends, and what it did not use is given back. False keeps it open for further captures. */
  final?: boolean | undefined
  /** Default: the hold's, and so is that of `metadata`. */
  description?: string | undefined
}

export const captureHoldInput = holdInput.extend({
  amount: inputs.amount.optional(),
  allowOver: z.boolean().default(false),
  final: z.boolean().default(true),
  description: inputs.optional(inputs.description),
})

export const releaseHoldInput = holdInput

/** What `extendHold` takes. Only an open hold can be extended; one whose time ran out throws `HoldNotOpenError`. */
export interface ExtendHoldInput extends HoldInput {
  /** Whole seconds from now; a hold never becomes shorter by it. At most 31 days. */
  expiresInSeconds: number
}

export const extendHoldInput = holdInput.extend({ expiresInSeconds: holdSeconds })

/** Which hold `getHold` shows. One that is not there and one of another user both throw `HoldNotFoundError`. */
export interface GetHoldInput {
  holdId: string
  /** Where given, must own the hold; else anybody's is found. Give it where the id came from a user. */
  userId?: UserId | undefined
}

export const getHoldInput = z.object({ holdId: inputs.rowId, userId: inputs.userId.optional() })

/** One hold as it is now: `expired` from its end on, whether or not anybody has written so. */
export async function getHold<T extends string>(session: Session<T>, given: GetHoldInput): Promise<CreditHold<T>> {
  const input = inputs.parseInput(getHoldInput, given)
  return toCreditHold(await findHold(session, (await session.open()).store, input))
}

/** A user's open holds, soonest to end first. */
export async function getHolds<T extends string>(
  session: Session<T>,
  given: { userId: UserId; creditType?: string | undefined },
): Promise<CreditHold<T>[]> {
  const input = inputs.parseInput(inputs.accountInput, given)
  const creditType = input.creditType === undefined ? null : session.types.resolve(input.creditType)
  const { store } = await session.open()
  const holds = await store.listHolds({ userId: await session.userId(input), creditType }, session.now())
  return holds.map((hold) => toCreditHold(hold))
}

/** Set credits aside. `operation`: what a priced operation keeps with them. */
export async function createHold<T extends string>(
  session: Session<T>,
  input: z.output<typeof holdCreditsInput>,
  operation: { request: CommandRequest; kept: JsonObject } | null = null,
): Promise<CreditHold<T>> {
  const { commands } = await session.open()
  const { store, account } = await session.account(input)
  const id = newRowId()
  const { amount, description, referenceId, referenceType, metadata, actor, expiresInSeconds } = input
  const details = { id, description, referenceId, referenceType, metadata, actor, request: operation?.kept ?? null }
  const request: CommandRequest = [
    ['operation', 'hold'],
    ...(operation === null ? [['amount', amount] as const] : operation.request),
    ['creditType', account.creditType],
    ['description', description],
    ['referenceId', referenceId],
    ['referenceType', referenceType],
    ['metadata', metadata],
    ['expiresInSeconds', expiresInSeconds],
  ]
  const key = input.idempotencyKey ?? ownKey(id)
  const outcome = await commands.run<{ holdId: string; hold: Hold | null }>(
    store,
    {
      id,
      userId: account.userId,
      key,
      request,
      accounts: [account],
      load: { grants: { covering: amount } },
    },
    ({ accounts: [state] }, now) => {
      const posting = commands.posting(state, now)
      const hold = holdCredits(posting, { ...details, amount, expiresInSeconds })
      return { result: { holdId: id, hold }, main: null, accounts: [posting.finish()], keptResult: { holdId: id } }
    },
    ({ keptResult }) => ({ holdId: keptHoldId(keptResult), hold: null }),
    {
      key: input.idempotencyKey,
      amount,
      details,
      hold: { seconds: expiresInSeconds, key, result: { holdId: id } },
      result: (spent) => ({ holdId: id, hold: spentHold(account, { ...details, amount, expiresInSeconds }, spent) }),
    },
  )
  if (outcome.hold !== null) return toCreditHold(outcome.hold)
  // A repeat is answered with the hold as it is now; under this call's own id it is this call's own write.
  const { holdId } = outcome
  return toCreditHold(await readWritten(() => findHold(session, store, { holdId })), holdId !== id)
}

function keptHoldId(kept: JsonObject | null): string {
  const id = kept?.holdId
  if (typeof id !== 'string') throw new Error('holdCredits: the repeated command kept no hold')
  return id
}

/** Use credits of a hold. `own`: a key of ours instead of the caller's, and the operation as it really was. */
export async function capture<T extends string>(
  session: Session<T>,
  input: z.output<typeof captureHoldInput>,
  own: { key?: string; operation?: JsonObject } = {},
): Promise<CreditTransaction<T>> {
  const { commands } = await session.open()
  const store = await session.store(input.tx)
  const found = await findHold(session, store, input)
  const { holdId, allowOver, final, actor, metadata } = input
  const amount = input.amount ?? null
  const beyond: CommandRequest = [
    ['operation', 'capture'],
    ['holdId', holdId],
    ['amount', amount],
    ['allowOver', allowOver],
    ['final', final],
    ['description', input.description],
    // Beside the column, which has the hold's where the caller gave none.
    ['metadata', metadata],
  ]
  const call = { store, account: { ...found, creditType: session.types.resolve(found.creditType) } }
  const written = {
    ...input,
    idempotencyKey: own.key ?? input.idempotencyKey,
    description: '',
    amount: null,
    metadata,
    actor,
  }
  // What more than the hold may take comes from the account's other grants.
  const covering = allowOver && amount !== null ? amount : 0
  return commands.write(
    call,
    written,
    beyond,
    { grants: { covering }, holds: [holdId] },
    (posting, details): Transaction => {
      const hold = lockedHold(posting, holdId)
      const { referenceId, referenceType } = hold
      return captureHold(
        posting,
        hold,
        { amount, final, allowOver },
        {
          ...details,
          referenceId,
          referenceType,
          request: hold.request === null ? details.request : { ...hold.request, ...own.operation, ...details.request },
          metadata: metadata ?? hold.metadata,
          description: input.description ?? hold.description,
        },
      )
    },
  )
}

/** Give back what a hold still pins. */
export async function release<T extends string>(
  session: Session<T>,
  input: z.output<typeof releaseHoldInput>,
): Promise<CreditHold<T>> {
  return changeHold(session, input, [['operation', 'release']], releaseHold)
}

/** Let a hold live longer. */
export async function extend<T extends string>(
  session: Session<T>,
  input: z.output<typeof extendHoldInput>,
): Promise<CreditHold<T>> {
  const { expiresInSeconds } = input
  const request: CommandRequest = [
    ['operation', 'extendHold'],
    ['expiresInSeconds', expiresInSeconds],
  ]
  return changeHold(session, input, request, (posting, hold) => extendHold(posting, hold, expiresInSeconds))
}

/** A command on a hold that writes no transaction of its own. */
async function changeHold<T extends string>(
  session: Session<T>,
  input: z.output<typeof holdInput>,
  request: CommandRequest,
  change: (posting: Posting, hold: Hold) => Hold,
): Promise<CreditHold<T>> {
  const { commands } = await session.open()
  const store = await session.store(input.tx)
  const found = await findHold(session, store, input)
  const { holdId, metadata } = input
  const id = newRowId()
  const outcome = await commands.run<{ by: unknown; hold: Hold | null }>(
    store,
    {
      id,
      userId: found.userId,
      key: input.idempotencyKey ?? ownKey(id),
      request: [...request, ['holdId', holdId], ['metadata', metadata]],
      accounts: [found],
      load: { grants: { covering: 0 }, holds: [holdId] },
    },
    ({ accounts: [state] }: State, now) => {
      const posting = commands.posting(state, now)
      const hold = change(posting, lockedHold(posting, holdId))
      return { result: { by: id, hold }, main: null, accounts: [posting.finish()], keptResult: { holdId, by: id } }
    },
    ({ keptResult }) => ({ by: keptResult?.by, hold: null }),
  )
  if (outcome.hold !== null) return toCreditHold(outcome.hold)
  // A repeat is answered with the hold as it is now; under this call's own id it is this call's own write.
  return toCreditHold(await readWritten(() => findHold(session, store, input)), outcome.by !== id)
}

/** @throws {HoldNotFoundError} No such hold, or not this user's. */
async function findHold<T extends string>(
  session: Session<T>,
  store: CreditStore,
  { holdId, userId }: { holdId: string; userId?: UserId | undefined },
): Promise<Hold> {
  const hold = inputs.isRowId(holdId) ? await store.findHold(holdId, session.now()) : null
  if (hold === null || !(await session.owns({ userId }, hold))) throw new HoldNotFoundError()
  return hold
}

function lockedHold(posting: Posting, holdId: string): Hold {
  const hold = posting.holds.find(({ id }) => id === holdId)
  if (hold === undefined) throw new HoldNotFoundError()
  return hold
}

/** Commands without a row in the ledger are known by their key: without the caller's, our own retries need one. */
export function ownKey(commandId: string): string {
  return `${inputs.INTERNAL_KEY_PREFIX}${commandId}`
}
