import type { CreditService, CreditServiceOptions, DefaultCreditType } from '../../src/index.js'
import type { Plan } from '../../src/plans.js'

export type PlanOptions = { [name: string]: Plan<DefaultCreditType> }

/** Plans of one grant of calling credits a month, and some of other shapes. */
export const PLANS: PlanOptions = {
  basic: { grants: [{ creditType: 'calling', amount: 100, every: 'month' }] },
  pro: { grants: [{ creditType: 'calling', amount: 250, every: 'month', source: 'subscription' }] },
  daily: { grants: [{ creditType: 'calling', amount: 10, every: 'day' }] },
  weekly: { grants: [{ creditType: 'calling', amount: 10, every: 'week' }] },
  yearly: { grants: [{ creditType: 'calling', amount: 1000, every: 'year' }] },
  saving: { grants: [{ creditType: 'calling', amount: 100, every: 'month', rollover: {} }] },
  capped: { grants: [{ creditType: 'calling', amount: 100, every: 'month', rollover: { max: 30 } }] },
  team: {
    grants: [
      { creditType: 'calling', amount: 50, every: 'month' },
      { creditType: 'calling', amount: 5, every: 'day' },
      { creditType: 'scraping', amount: 7, every: 'month' },
    ],
  },
}

/** A service with these plans. */
export function planned(
  { service }: { service: (options: CreditServiceOptions) => CreditService },
  plans: PlanOptions = PLANS,
): CreditService {
  return service({ plans })
}

/** The user's ledger of calling credits, oldest first, as `type amount`, with when it counts from where that is said. */
export async function ledger(credits: CreditService, userId: string): Promise<string[]> {
  const rows = await credits.getTransactionHistory(userId, 'calling', 200)
  return rows.reverse().map(({ transactionType, amount, effectiveAt }) => {
    const at = effectiveAt === null ? '' : ` @ ${effectiveAt.toISOString().slice(0, 10)}`
    return `${transactionType} ${amount}${at}`
  })
}

/** Credits that plans have granted a user so far. */
export async function grantedByPlans(credits: CreditService, userId: string): Promise<number> {
  const rows = await credits.getTransactionHistory(userId, 'calling', 200)
  return rows.filter(({ referenceType }) => referenceType === 'plan').reduce((sum, { amount }) => sum + amount, 0)
}
