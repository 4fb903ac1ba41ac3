import type { Balance } from './ledger/balance.js'
import type { Usage } from './ports/usage-store.js'

/** What an account was used for over a range of time. Credits; ranges are half-open UTC. */
export interface UsageStats {
  /** Uses in the range, before refunds. */
  totalUsed: number
  totalPurchased: number
  /** Uses given back in the range. */
  totalRefunded: number
  /** Credits available now. */
  balance: number
  /** `totalUsed` per UTC day the range touches (at least one). */
  averageDaily: number
  /** Number of transactions in the range. */
  transactions: number
  /** UTC days on which something happened; `date` is `YYYY-MM-DD`. */
  daily: { date: string; used: number; added: number }[]
}

const DAY_MS = 86_400_000

export function usageStats({ from, to, ...usage }: Usage, { balance }: Balance): UsageStats {
  return { ...usage, balance, averageDaily: usage.totalUsed / daysTouched(from, to) }
}

/** UTC days that the half-open range touches, at least one. */
function daysTouched(from: Date | null, to: Date): number {
  if (from === null) return 1
  const first = Math.floor(from.getTime() / DAY_MS)
  const last = Math.floor((to.getTime() - 1) / DAY_MS)
  return Math.max(1, last - first + 1)
}
