import type { Balance } from './ledger/balance.js'

/** One credit type's figures. Credits. */
export type CreditBalance = Pick<
  Balance,
  'balance' | 'paid' | 'promotional' | 'owned' | 'held' | 'debt' | 'totalPurchased' | 'totalUsed' | 'nextExpiry'
>

/**
 * The answer of `checkBalance`, in credits, read from the database. Nothing is set aside: use `holdCredits` for that.
 */
export interface BalanceCheck {
  hasSufficient: boolean
  /** Available now; negative while there is debt. */
  balance: number
  /** What was asked about. */
  required: number
  /** What is missing of `required`; 0: nothing. */
  shortfall: number
}

/** As callers see it; zeros for an account that does not exist. */
export function toCreditBalance(balance: Balance | undefined): CreditBalance {
  return {
    balance: balance?.balance ?? 0,
    paid: balance?.paid ?? 0,
    promotional: balance?.promotional ?? 0,
    owned: balance?.owned ?? 0,
    held: balance?.held ?? 0,
    debt: balance?.debt ?? 0,
    totalPurchased: balance?.totalPurchased ?? 0,
    totalUsed: balance?.totalUsed ?? 0,
    nextExpiry: balance?.nextExpiry ?? null,
  }
}
