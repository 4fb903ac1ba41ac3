import { type AccountHistory, sumLedger } from './audit.js'
import { isGrantAllocation, isPaid } from './grant.js'
import type { Purchase } from './purchase.js'
import type { Transaction } from './transaction.js'

/** Which part of the ledger figures are about. Half-open range of `createdAt`, UTC. */
export interface MetricsQuery {
  from: Date
  to: Date
  creditType: string | null
}

/** Figures over all users. Credits are positive numbers; money is in minor units, by currency. */
export interface Metrics {
  /** Credits bought, used and given back in the range. */
  purchased: number
  used: number
  refunded: number
  /** Credits that expired or were voided unused in the range. */
  breakage: number
  /** Credits taken because their payment went back, in the range. */
  clawedBack: number
  /** Transactions of all types in the range. */
  transactions: number
  /** Number of uses, and of refunds of uses, in the range. */
  uses: number
  refunds: number
  /** Users who used credits in the range. */
  activeUsers: number
  /** Owned credits of all users at the end of the range, paid for or not: what is still owed to them. */
  outstanding: { paid: number; promotional: number }
  /** Packages sold in the range, by package, the most often bought first. */
  packages: PackageSales[]
}

/** What was sold of one package, under the name of its last sale. `revenue` is what was captured, by currency. */
export interface PackageSales {
  packageId: number
  name: string
  purchases: number
  credits: number
  revenue: { [currency: string]: number }
}

/** The figures of these accounts and purchases, which must be all there are. */
export function metricsOf(
  histories: readonly AccountHistory[],
  purchases: readonly Purchase[],
  { from, to, creditType }: MetricsQuery,
): Metrics {
  const isAsked = (row: { creditType: string }): boolean => creditType === null || row.creditType === creditType
  const asked = histories.filter(({ account }) => isAsked(account))
  const rows = asked.flatMap(({ transactions }) =>
    transactions.filter(({ createdAt }) => createdAt >= from && createdAt < to),
  )
  const uses = rows.filter(({ transactionType }) => transactionType === 'usage')
  const refunds = rows.filter(({ transactionType, relatedId }) => transactionType === 'refund' && relatedId !== null)
  const sumOf = (...types: readonly Transaction['transactionType'][]): number =>
    sumAmounts(rows.filter(({ transactionType }) => types.includes(transactionType)))
  return {
    purchased: sumOf('purchase'),
    used: positive(sumAmounts(uses)),
    refunded: sumAmounts(refunds),
    breakage: positive(sumOf('expiration', 'void')),
    clawedBack: positive(sumOf('clawback')) - debtSettledByRelease(rows),
    transactions: rows.length,
    uses: uses.length,
    refunds: refunds.length,
    activeUsers: new Set(uses.map(({ userId }) => userId)).size,
    outstanding: outstandingAt(asked, to),
    packages: packageSales(purchases.filter((purchase) => isAsked(purchase) && wasFulfilled(purchase, from, to))),
  }
}

/**
 * Owed and released credits that cancelled each other: a clawback beside a reinstatement of debt that no grant repaid.
 * The clawback that made the debt has been counted already.
 */
function debtSettledByRelease(transactions: readonly Transaction[]): number {
  return transactions
    .filter(({ transactionType }) => transactionType === 'reinstatement')
    .flatMap(({ allocations }) => allocations)
    .reduce((sum, part) => (isGrantAllocation(part) || part.grantId !== undefined ? sum : sum + part.debt), 0)
}

function outstandingAt(histories: readonly AccountHistory[], end: Date): Metrics['outstanding'] {
  const outstanding = { paid: 0, promotional: 0 }
  for (const { grants, transactions } of histories) {
    const { ownedByGrant } = sumLedger(transactions.filter(({ createdAt }) => createdAt < end))
    for (const grant of grants) outstanding[isPaid(grant) ? 'paid' : 'promotional'] += ownedByGrant.get(grant.id) ?? 0
  }
  return outstanding
}

function wasFulfilled({ fulfilledAt }: Purchase, from: Date, to: Date): boolean {
  return fulfilledAt !== null && fulfilledAt >= from && fulfilledAt < to
}

function packageSales(fulfilled: readonly Purchase[]): PackageSales[] {
  const byPackage = new Map<number, PackageSales>()
  for (const { packageId, packageName, credits, currency, paidMinor } of [...fulfilled].sort(compareFulfilled)) {
    // Plans are no packages.
    if (packageId === null) continue
    const sales = byPackage.get(packageId) ?? { packageId, name: packageName, purchases: 0, credits: 0, revenue: {} }
    byPackage.set(packageId, sales)
    sales.name = packageName
    sales.purchases += 1
    sales.credits += credits
    sales.revenue[currency] = (sales.revenue[currency] ?? 0) + (paidMinor ?? 0)
  }
  return [...byPackage.values()].sort((a, b) => b.purchases - a.purchases || a.packageId - b.packageId)
}

function compareFulfilled(a: Purchase, b: Purchase): number {
  const byTime = (a.fulfilledAt?.getTime() ?? 0) - (b.fulfilledAt?.getTime() ?? 0)
  return byTime || (a.id < b.id ? -1 : Number(a.id > b.id))
}

function sumAmounts(transactions: readonly Transaction[]): number {
  return transactions.reduce((sum, { amount }) => sum + amount, 0)
}

/** Credits that went out, as a positive number; never −0. */
function positive(credits: number): number {
  return 0 - credits
}
