import fc from 'fast-check'
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory-store.js'
import { CreditService } from '../../src/index.js'
import { stoppedClock } from '../conformance/credit-store/bench.js'
import { histories, Player, SETTINGS } from './random-histories.js'

function newAccount() {
  const [clock, userId] = [stoppedClock(), `user-${randomUUID()}`]
  const credits = new CreditService({ store: memoryStore(), clock })
  return { clock, userId, credits, player: new Player(credits, clock, userId) }
}

describe('any history of one account', () => {
  it('keeps every sum rule and agrees with a count by hand, after each step', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const { clock, userId, credits, player } = newAccount()
        for (const [index, step] of steps.entries()) {
          const foreseen = player.foresee(step)
          expect(await player.play(step, `step ${index}`)).toBe(foreseen)
          expect((await credits.verify()).violations).toEqual([])
          expect(await credits.getBalance(userId, 'calling')).toBe(player.model.available(clock.now().getTime()))
        }
      }),
      SETTINGS,
    )
  })

  it('is not changed by playing any beginning of it again with the same keys', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(), async (steps, cut) => {
        const { clock, userId, credits } = newAccount()
        const writes = new Player(credits, clock, userId)
        const kept: number[] = []
        for (const [index, step] of steps.entries()) {
          if ((await writes.play(step, `step ${index}`)) === 'done') kept.push(index)
        }
        const before = [await credits.getAllBalances(userId), await rows(credits, userId)]
        const end = clock.now().toISOString()
        clock.set('2026-03-10T12:00:00.000Z')
        const again = new Player(credits, clock, userId)
        for (const [index, step] of steps.entries()) {
          if (kept.indexOf(index) > cut % (kept.length + 1)) break
          if (step.kind === 'wait' || kept.includes(index)) await again.play(step, `step ${index}`)
        }
        clock.set(end)
        expect([await credits.getAllBalances(userId), await rows(credits, userId)]).toEqual(before)
      }),
      SETTINGS,
    )
  })
})

async function rows(credits: CreditService, userId: string) {
  return (await credits.listTransactions({ userId, limit: 200 })).transactions
}
