import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { HistoryPlayer } from './history-player.js'
import { type Step, UNIT_MS } from './random-histories.js'

const RULES = { refundPolicy: 'expire', clawbackPolicy: 'debt', limited: false } as const
const ADD = {
  kind: 'add',
  at: 0,
  amount: 1,
  startsIn: null,
  priority: 0,
  transactionType: 'purchase',
  source: null,
} as const

const wait = (units: number): Step => ({ kind: 'wait', ms: units * UNIT_MS })

/** Credits that were bought and end after two units, all of them held for one unit, while the payment of others goes back. */
const HELD_IN_DEBT: Step[] = [
  { ...ADD, amount: 30, lasts: 2 * UNIT_MS },
  { kind: 'hold', at: 0, amount: 30, lasts: UNIT_MS },
  { kind: 'buy', user: 0, quantity: 1, told: true },
  { kind: 'deduct', at: 0, amount: 40 },
  { kind: 'moneyBack', purchase: 0, amountMinor: 999, status: 'succeeded', told: true },
]

async function played(steps: readonly Step[], { sweeps }: { sweeps: boolean }) {
  const player = new HistoryPlayer(memoryStore(), RULES)
  for (const [index, step] of steps.entries()) {
    expect(await player.play(step, `step ${index}`)).not.toBe('INSUFFICIENT_CREDITS')
    if (sweeps) await player.credits.runDue()
  }
  await player.credits.runDue()
  return player
}

describe('what time has done, written late', () => {
  it('repays debt from the credits of a hold that timed out before they ended', async () => {
    for (const sweeps of [true, false]) {
      const player = await played([...HELD_IN_DEBT, wait(1), wait(2)], { sweeps })
      const { calling } = await player.credits.getAllBalances(player.userIds[0])
      expect({ sweeps, debt: calling.debt }).toEqual({ sweeps, debt: 10 })
    }
  })

  it('stands in the ledger in the order in which it happened', async () => {
    const plan = { kind: 'startPlan', user: 0, plan: 'basic', anchorIn: null } as const
    for (const sweeps of [true, false]) {
      const player = await played([plan, { ...ADD, lasts: 5 * UNIT_MS }, wait(4), wait(8)], { sweeps })
      const [userId] = player.userIds
      const { transactions } = await player.credits.listTransactions({ userId, transactionType: 'expiration' })
      const ended = transactions.map(({ effectiveAt }) => effectiveAt?.getTime() ?? NaN).reverse()
      expect(ended).toEqual([...ended].sort((a, b) => a - b))
      expect(ended).toHaveLength(4)
    }
  })
})
