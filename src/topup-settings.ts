import * as z from 'zod'
import { newRowId } from './row-id.js'
import type { UserId } from './credit-inputs.js'
import type { CreditTypes } from './credit-types.js'
import { InvalidInputError, isCreditError, PackageInactiveError, PackageNotFoundError } from './errors.js'
import * as inputs from './inputs.js'
import type { AccountKey } from './ledger/account.js'
import { type AutoTopup, type AutoTopupStatus, startOfMonth, switchOffTopup } from './ledger/auto-topup.js'
import { packageId } from './packages.js'
import { quantityInput } from './checkouts.js'
import type { Till } from './till.js'
import { giveUpOpenPayment } from './topups.js'

/**
 * All settings of a user's automatic top-up of one credit type: what is left out gets its default, not what it was.
 * Paying needs a saved card (`createCardSetup`, or `saveCard` of a checkout).
 */
export interface ConfigureAutoTopupInput<T extends string = string> {
  userId: UserId
  /** May be left out where the service has only one. */
  creditType?: T | undefined
  /** Credits, a whole number of at least 0. A use or hold that leaves this balance or less asks for a top-up. */
  threshold: number
  /** What is bought. Must be of this credit type. */
  packageId: number
  /** Units of the package, 1–1000. Default 1. */
  quantity?: number | undefined
  /** At most so many top-ups per calendar month (UTC). Default: any number. */
  maxPerMonth?: number | null | undefined
  /** At most so much money per calendar month (UTC), in the package's minor units. Default: any amount. */
  maxAmountMinor?: number | null | undefined
  /** False switches it off. Default true. */
  enabled?: boolean | undefined
}

export const configureAutoTopupInput = z.object({
  userId: inputs.userId,
  creditType: inputs.creditType,
  threshold: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  packageId,
  quantity: quantityInput,
  maxPerMonth: inputs.optional(z.number().int().positive().max(10_000)),
  maxAmountMinor: inputs.optional(z.number().int().positive().max(Number.MAX_SAFE_INTEGER)),
  enabled: z.boolean().default(true),
})

/** A user's automatic top-up. */
export interface AutoTopupView<T extends string = string> {
  creditType: T
  /** `suspended`: it stopped until there is a new card; `action_required`: the user has to pay at `recoveryUrl`. */
  status: AutoTopupStatus
  threshold: number
  packageId: number
  quantity: number
  maxPerMonth: number | null
  maxAmountMinor: number | null
  /** Top-ups begun in this calendar month (UTC) that have not failed, and their money. */
  thisMonth: { count: number; amountMinor: number }
  /** A payment is under way. */
  isPaying: boolean
  /** No payment is begun before. */
  retryAt: Date | null
  lastFailure: string | null
  recoveryUrl: string | null
}

/** Set, change or switch off a user's automatic top-up. It first pays when credits are spent, not at once. */
export async function configureAutoTopup<T extends string>(
  till: Till,
  types: CreditTypes<T>,
  given: ConfigureAutoTopupInput<T>,
): Promise<AutoTopupView<T>> {
  const input = inputs.parseInput(configureAutoTopupInput, given)
  const { store, commands } = till
  const creditType = types.resolve(input.creditType)
  const account: AccountKey = { userId: inputs.canonicalUserId(input.userId, store.userIdType), creditType }
  const pack = await store.findPackage(input.packageId)
  if (pack === null) throw new PackageNotFoundError()
  if (input.enabled && !pack.isActive) throw new PackageInactiveError()
  if (pack.creditType !== creditType) {
    throw new InvalidInputError([{ path: 'packageId', message: `sells ${pack.creditType}, not ${creditType}` }])
  }
  if (input.maxAmountMinor !== null && pack.price * input.quantity > input.maxAmountMinor) {
    const message = `is less than one top-up costs (${pack.price * input.quantity})`
    throw new InvalidInputError([{ path: 'maxAmountMinor', message }])
  }
  const saved = await commands.run<AutoTopup | null>(
    store,
    {
      id: newRowId(),
      userId: account.userId,
      key: null,
      request: [],
      accounts: [account],
      load: { grants: { covering: 0 }, topup: true },
    },
    ({ accounts: [state] }, now) => {
      const posting = commands.posting(state, now)
      const topup = configured(posting.topup, account, input, now)
      posting.saveTopup(topup)
      return { result: topup, main: null, accounts: [posting.finish()] }
    },
    () => null,
  )
  const isGivenUp = !input.enabled && (await giveUpQuietly(till, account))
  const isCurrent = saved !== null && !isGivenUp
  const view = isCurrent ? toView<T>(saved, till.clock()) : await getAutoTopup(till, types, input)
  if (view === null) throw new Error('configureAutoTopup: what was written is not there')
  return view
}

/** False: there is nothing to give up, or it can't be now. Then `runDue` settles it, and switched off it is either way. */
async function giveUpQuietly(till: Till, account: AccountKey): Promise<boolean> {
  try {
    return await giveUpOpenPayment(till, account)
  } catch (error) {
    if (!isCreditError(error)) throw error
    till.logger.warn(
      { err: error, ...account },
      'the open payment of a top-up that was switched off is not given up yet',
    )
    return false
  }
}

/** The user's automatic top-up of one credit type; null: never configured. */
export async function getAutoTopup<T extends string>(
  till: Till,
  types: CreditTypes<T>,
  given: { userId: UserId; creditType?: string | undefined },
): Promise<AutoTopupView<T> | null> {
  const { userId, creditType } = inputs.parseInput(inputs.accountInput, given)
  const name = types.resolve(creditType)
  const topups = await till.store.listTopups(inputs.canonicalUserId(userId, till.store.userIdType))
  const topup = topups.find((row) => row.creditType === name)
  return topup === undefined ? null : toView<T>(topup, till.clock())
}

function configured(
  known: AutoTopup | null,
  account: AccountKey,
  input: z.output<typeof configureAutoTopupInput>,
  now: Date,
): AutoTopup {
  const { threshold, packageId: pack, quantity, maxPerMonth, maxAmountMinor, enabled } = input
  const settings = { threshold, packageId: pack, quantity, maxPerMonth, maxAmountMinor, updatedAt: now }
  if (known === null) {
    return {
      ...account,
      ...settings,
      status: enabled ? 'active' : 'off',
      openPurchaseId: null,
      openSince: null,
      failures: 0,
      retryAt: null,
      monthStart: startOfMonth(now, 0),
      monthCount: 0,
      monthMinor: 0,
      lastFailure: null,
      recoveryUrl: null,
      createdAt: now,
    }
  }
  // A card that failed for good does not get better by other settings; a package that was not for sale does.
  const waitsForCard = known.status === 'suspended' && known.lastFailure !== 'package_inactive'
  const stays = waitsForCard || known.status === 'action_required'
  if (!enabled) return switchOffTopup({ ...known, ...settings }, now)
  if (!stays) return { ...known, ...settings, status: 'active', retryAt: null }
  // When it stopped tells a new card from the one that was tried.
  return { ...known, ...settings, updatedAt: known.updatedAt }
}

function toView<T extends string>(topup: AutoTopup, now: Date): AutoTopupView<T> {
  const { status, threshold, quantity, maxPerMonth, maxAmountMinor, retryAt, lastFailure, recoveryUrl } = topup
  const isCounted = topup.monthStart >= startOfMonth(now, 0)
  return {
    // The store only holds types this service was configured with, or older ones the host has since removed.
    creditType: topup.creditType as T,
    status,
    threshold,
    packageId: topup.packageId,
    quantity,
    maxPerMonth,
    maxAmountMinor,
    thisMonth: isCounted ? { count: topup.monthCount, amountMinor: topup.monthMinor } : { count: 0, amountMinor: 0 },
    isPaying: topup.openPurchaseId !== null,
    retryAt,
    lastFailure,
    recoveryUrl,
  }
}
