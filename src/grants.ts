import * as z from 'zod'
import { newRowId } from './row-id.js'
import type { UserId, WriteOptions } from './credit-inputs.js'
import { GrantNotFoundError } from './errors.js'
import { ownKey } from './holds.js'
import * as inputs from './inputs.js'
import { type Grant, shareOfPrice } from './ledger/grant.js'
import type { CommandRequest } from './ledger/request.js'
import { voidGrant } from './ledger/void.js'
import type { CreditStore } from './ports/store.js'
import { readWritten } from './read-written.js'
import type { Session } from './session.js'

/** Credits added together, as callers see them. Credits; money in minor units. */
export interface CreditGrant<T extends string = string> extends Pick<
  Grant,
  | 'id'
  | 'userId'
  | 'amount'
  | 'remaining'
  | 'held'
  | 'source'
  | 'priority'
  | 'effectiveAt'
  | 'expiresAt'
  | 'voidedAt'
  | 'paidAmount'
  | 'currency'
  | 'purchaseId'
  | 'createdAt'
> {
  creditType: T
  /** What was paid for the credits that are left (remaining and held), rounded down; null: nothing is known. */
  costBasis: number | null
}

function toCreditGrant<T extends string>(grant: Grant): CreditGrant<T> {
  const { shortfall: _1, writtenOff: _2, open: _3, seq: _4, noticedAt: _5, scheduleId: _6, ...shown } = grant
  const { paidAmount, amount, remaining, held } = grant
  const costBasis = paidAmount === null ? null : shareOfPrice(paidAmount, remaining + held, amount)
  // The store only holds types this service was configured with, or older ones the host has since removed.
  return { ...shown, creditType: grant.creditType as T, costBasis }
}

/** A user's grants that have something left, scheduled ones too, in the order in which they burn. */
export async function getGrants<T extends string>(
  session: Session<T>,
  given: { userId: UserId; creditType?: string | undefined },
): Promise<CreditGrant<T>[]> {
  const input = inputs.parseInput(inputs.accountInput, given)
  const creditType = input.creditType === undefined ? null : session.types.resolve(input.creditType)
  const { store } = await session.open()
  const grants = await store.listGrants({ userId: await session.userId(input), creditType }, session.now())
  return grants.map((grant) => toCreditGrant(grant))
}

/** What `voidGrant` takes. There is no way back: add new credits instead. */
export interface VoidGrantInput extends WriteOptions {
  /** The `id` of one of `getGrants`. */
  grantId: string
  /** Why; the description of the transaction. At most 2,000 characters. */
  reason: string
  /** Where given, must own the grant; else anybody's is found. */
  userId?: UserId | undefined
}

export const voidGrantInput = z.object({
  grantId: inputs.rowId,
  reason: inputs.description,
  userId: inputs.userId.optional(),
  ...inputs.everyWrite,
})

export async function endGrant<T extends string>(session: Session<T>, given: VoidGrantInput): Promise<CreditGrant<T>> {
  const input = inputs.parseInput(voidGrantInput, given)
  const { commands } = await session.open()
  const store = await session.store(input.tx)
  const { grantId, reason: description, metadata, actor, idempotencyKey: key } = input
  const found = await findGrant(session, store, input)
  const id = newRowId()
  const request: CommandRequest = [
    ['operation', 'voidGrant'],
    ['grantId', grantId],
    ['reason', description],
    ['metadata', metadata],
  ]
  await commands.run<null>(
    store,
    {
      id,
      userId: found.userId,
      key: key ?? ownKey(id),
      request,
      accounts: [found],
      // All that are open: the next one takes the place of this one.
      load: { grants: 'open', grantIds: [grantId] },
    },
    ({ accounts: [state] }, now) => {
      const posting = commands.posting(state, now)
      const none = { referenceId: null, referenceType: null, idempotencyKey: null, request: null }
      const details = { ...none, id: newRowId(), description, metadata, actor }
      const changed = voidGrant(posting, grantId, details)
      return { result: null, main: null, accounts: changed ? [posting.finish()] : [], keptResult: { grantId } }
    },
    () => null,
  )
  return toCreditGrant(await readWritten(() => findGrant(session, store, input)))
}

/** @throws {GrantNotFoundError} No such grant, or not this user's. */
async function findGrant<T extends string>(
  session: Session<T>,
  store: CreditStore,
  { grantId, userId }: { grantId: string; userId?: UserId | undefined },
): Promise<Grant> {
  const grant = inputs.isRowId(grantId) ? await store.findGrant(grantId) : null
  if (grant === null || !(await session.owns({ userId }, grant))) throw new GrantNotFoundError()
  return grant
}
