import { beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from 'creditkit/adapters/memory'
import { CreditService } from 'creditkit'
import { testClock } from 'creditkit/testing'
import { type AccountHistory, auditAccount } from '../../src/ledger/audit.js'
import type { Grant } from '../../src/ledger/grant.js'
import type { Transaction } from '../../src/ledger/transaction.js'

/* The audit itself: a sound account of everything an account can have, and each rule broken in it, one at a time. */

const HOUR = 3_600_000
let sound: AccountHistory

beforeAll(async () => {
  const clock = testClock(new Date('2026-05-01T10:00:00.000Z'))
  const store = memoryStore()
  const credits = new CreditService({ store, cache: null, clock })
  const about = { userId: 'ann', creditType: 'calling', description: 'Audit' } as const
  const ends = (hours: number) => new Date(clock.now().getTime() + hours * HOUR)
  await credits.addCredits({ ...about, amount: 100, transactionType: 'purchase', paidAmount: 999, currency: 'usd' })
  await credits.addCredits({ ...about, amount: 50, expiresAt: ends(2) })
  await credits.addCredits({ ...about, amount: 20, effectiveAt: ends(48) })
  const use = await credits.deductCredits({ ...about, amount: 40 })
  await credits.refundCredits({ transactionId: use.id, amount: 5 })
  await credits.holdCredits({ ...about, amount: 10, expiresInSeconds: 86_400 })
  clock.advance(3 * HOUR)
  await credits.runDue()
  await credits.deductCredits({ ...about, amount: 1 })
  await credits.close()
  const found: AccountHistory[] = []
  await store.scanAccounts({ userId: 'ann' }, (history) => found.push(history))
  const [history] = found
  if (history === undefined) throw new Error('audit: there is no account')
  sound = history
})

/** What the audit says of the account after `change` was made to a copy of it. */
function rulesBrokenBy(change: (history: AccountHistory) => void): string[] {
  const copy = structuredClone(sound)
  change(copy)
  return auditAccount(copy).map(({ rule }) => rule)
}

function row(history: AccountHistory, type: Transaction['transactionType']): Transaction {
  const found = history.transactions.find(({ transactionType }) => transactionType === type)
  if (found === undefined) throw new Error(`audit: no ${type}`)
  return found
}

function grant(history: AccountHistory, isIt: (grant: Grant) => boolean): Grant {
  const found = history.grants.find(isIt)
  if (found === undefined) throw new Error('audit: no such grant')
  return found
}

describe('an account', () => {
  it('that is sound breaks no rule, with all that it has', () => {
    expect(auditAccount(sound)).toEqual([])
    expect(new Set(sound.transactions.map(({ transactionType }) => transactionType))).toEqual(
      new Set(['purchase', 'adjustment', 'usage', 'refund', 'expiration']),
    )
    expect(sound.account.held).toBe(10)
    expect(sound.account.scheduled).toBe(20)
  })

  it.each<[rule: string, change: (history: AccountHistory) => void]>([
    ['seq', (history) => (row(history, 'refund').seq += 1)],
    ['seq', (history) => history.transactions.splice(1, 1)],
    ['balance_after', (history) => (row(history, 'usage').balanceAfter += 1)],
    ['sign', (history) => (row(history, 'usage').amount *= -1)],
    ['allocations', (history) => (row(history, 'usage').allocations = [])],
    ['refunds', (history) => (row(history, 'refund').amount = 41)],
    ['refunds', (history) => (row(history, 'refund').relatedId = row(history, 'purchase').id)],
    ['balance', (history) => (history.account.balance += 1)],
    ['total_purchased', (history) => (history.account.totalPurchased += 1)],
    ['total_used', (history) => (history.account.totalUsed -= 1)],
    ['last_credit', (history) => (history.account.lastCredit += 1)],
    ['debt', (history) => (history.account.debt = 1)],
    ['owned', (history) => (grant(history, ({ remaining }) => remaining > 0).remaining += 1)],
    ['held', (history) => (history.account.held += 1)],
    ['held', (history) => history.holds.splice(0)],
    ['grant', (history) => (grant(history, ({ held }) => held > 0).held += 1)],
    ['grant_range', (history) => (grant(history, ({ remaining }) => remaining === 0).remaining = -1)],
    ['grant_open', (history) => (grant(history, ({ open }) => open).open = false)],
    ['grant_missing', (history) => history.grants.shift()],
    ['head', (history) => (history.account.headGrantId = null)],
    ['head', (history) => (history.account.headRemaining += 1)],
    ['scheduled', (history) => (history.account.scheduled = 0)],
    ['next_due_at', (history) => (history.account.nextDueAt = null)],
    ['next_due_at', (history) => (history.account.nextDueAt = new Date('2030-01-01'))],
    ['usage_daily', (history) => (history.rolledUp = { seq: history.account.seq, days: [] })],
  ])('breaks the rule %s when it does not hold (%#)', (rule, change) => {
    expect(rulesBrokenBy(change)).toContain(rule)
  })
})
