import { HoldNotOpenError, InvalidAmountError } from '../errors.js'
import type { AccountKey } from './account.js'
import type { CommandDetails } from './add.js'
import { takeAvailable } from './deduct.js'
import { firstCredits, type GrantAllocation, mergeAllocations } from './grant.js'
import type { Posting } from './posting.js'
import type { JsonObject, Transaction } from './transaction.js'

/**
 * `open`: its credits are set aside. `captured`: ended by a final capture. `released`: what was left was given back.
 * `expired`: its time ran out first. How much of it was used is `captured`, whatever the status.
 */
export type HoldStatus = 'open' | 'captured' | 'released' | 'expired'

/** Credits set aside for work that is going on: the row of `credit_holds`. */
export interface Hold extends AccountKey {
  id: string
  /** Credits set aside; never changes. */
  amount: number
  /** Credits used of it so far; more than `amount` only where a capture was allowed to. */
  captured: number
  status: HoldStatus
  /** From this moment on it no longer counts. */
  expiresAt: Date
  /** Which grants it was pinned to, in the order in which captures use them; sums up to `amount`. */
  allocations: GrantAllocation[]
  description: string
  referenceId: string | null
  referenceType: string | null
  metadata: JsonObject | null
  actor: string | null
  /** The priced operation it is for, where there is one. */
  request: JsonObject | null
  createdAt: Date
  updatedAt: Date
}

/** What an open hold still pins, grant by grant. */
export function pinnedBy({ status, allocations, captured }: Hold): GrantAllocation[] {
  if (status !== 'open') return []
  let used = captured
  return allocations
    .map(({ grantId, amount }) => {
      const gone = Math.min(amount, used)
      used -= gone
      return { grantId, amount: amount - gone }
    })
    .filter(({ amount }) => amount > 0)
}

/** Has its time run out, whether or not anybody has written so? */
export function isOverdue({ status, expiresAt }: Hold, now: Date): boolean {
  return status === 'open' && expiresAt.getTime() <= now.getTime()
}

/** Set credits aside, in burn-down order: all or nothing. They leave what is available at once. */
export function holdCredits(
  posting: Posting,
  { amount, expiresInSeconds, ...details }: HoldDetails & { amount: number; expiresInSeconds: number },
): Hold {
  posting.limits.take({ calls: 1, credits: amount })
  const allocations = takeAvailable(posting, amount)
  const hold = newHold(posting.key, { ...details, amount, expiresInSeconds, allocations }, posting.now)
  posting.pin(allocations)
  posting.saveHold(hold)
  return hold
}

/** A hold that has just been made. */
export function newHold(
  { userId, creditType }: AccountKey,
  { expiresInSeconds, ...details }: HoldDetails & Pick<Hold, 'amount' | 'allocations'> & { expiresInSeconds: number },
  now: Date,
): Hold {
  const expiresAt = after(now, expiresInSeconds)
  return { ...details, userId, creditType, captured: 0, status: 'open', expiresAt, createdAt: now, updatedAt: now }
}

export type HoldDetails = Omit<CommandDetails, 'idempotencyKey'>

export interface Capture {
  /** Credits; null: all that is left of the hold. */
  amount: number | null
  /** Ends the hold, and gives back what it did not use. */
  final: boolean
  /** May take more than is left of the hold, as an ordinary deduction. */
  allowOver: boolean
}

/** Use credits of a hold: those pinned first; more only where that is allowed, and then all or nothing. */
export function captureHold(
  posting: Posting,
  hold: Hold,
  { amount, final, allowOver }: Capture,
  details: CommandDetails,
): Transaction {
  assertOpen(hold)
  const left = Math.max(0, hold.amount - hold.captured)
  const wanted = amount ?? left
  if (wanted === 0) throw new InvalidAmountError('Nothing is left of this hold to capture')
  const over = Math.max(0, wanted - left)
  if (over > 0 && !allowOver) {
    throw new InvalidAmountError(
      `Amount must not exceed what is left of the hold (${left}); allowOver lets a capture take more`,
    )
  }
  if (over > 0) posting.limits.take({ calls: 0, credits: over })
  // Chosen while the held part is still pinned, so that it can't be counted twice.
  const extra = over > 0 ? takeAvailable(posting, over) : []
  const own = firstCredits(pinnedBy(hold), wanted - over)
  posting.unpin(own)
  const transaction = posting.post({
    ...details,
    transactionType: 'usage',
    amount: -wanted,
    relatedId: hold.id,
    allocations: mergeAllocations([...own, ...extra]),
  })
  const captured = { ...hold, captured: hold.captured + wanted, updatedAt: posting.now }
  posting.saveHold(captured)
  if (final) endHold(posting, captured, 'captured', posting.now)
  return transaction
}

/** Give back what an open hold still pins. */
export function releaseHold(posting: Posting, hold: Hold): Hold {
  assertOpen(hold)
  return endHold(posting, hold, 'released', posting.now)
}

/** Let a hold live for so long from now; never shorter than it would have. */
export function extendHold(posting: Posting, hold: Hold, expiresInSeconds: number): Hold {
  assertOpen(hold)
  const later = after(posting.now, expiresInSeconds)
  const extended = { ...hold, expiresAt: later > hold.expiresAt ? later : hold.expiresAt, updatedAt: posting.now }
  posting.saveHold(extended)
  return extended
}

/**
 * End a hold: what it pins goes back to its grants, settles what a clawback still wants of them, repays debt, and ends at
 * once where the grant has. Calls count for limits only when something of the hold was used.
 */
export function endHold(posting: Posting, hold: Hold, status: 'captured' | 'released' | 'expired', at: Date): Hold {
  const ended: Hold = { ...hold, status, updatedAt: at }
  const pinned = pinnedBy(hold)
  posting.saveHold(ended)
  posting.unpin(pinned)
  posting.settleReturned(pinned, hold.id)
  const unused = Math.max(0, hold.amount - hold.captured)
  posting.limits.giveBack({ calls: hold.captured === 0 ? 1 : 0, credits: unused }, hold.createdAt)
  return ended
}

function assertOpen(hold: Hold): void {
  if (hold.status !== 'open') throw new HoldNotOpenError(hold.status)
}

function after(now: Date, seconds: number): Date {
  return new Date(now.getTime() + seconds * 1000)
}
