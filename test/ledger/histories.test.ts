import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { Foresight } from './history-foresight.js'
import { HistoryPlayer } from './history-player.js'
import { HistoryView } from './history-view.js'
import { ACCOUNTS, allHistories, modelledHistories, SETTINGS, timeFor } from './random-histories.js'

const timeout = timeFor(SETTINGS.numRuns, 500)

describe('any history', () => {
  it('keeps every sum rule, after each step', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(allHistories, async ({ rules, steps }) => {
        const player = new HistoryPlayer(memoryStore(), rules)
        for (const [index, step] of steps.entries()) {
          await player.play(step, `step ${index}`)
          expect((await player.credits.verify()).violations).toEqual([])
        }
      }),
      SETTINGS,
    )
  })

  it('agrees with a count by hand, in every answer and balance', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(modelledHistories, async ({ rules, steps }) => {
        const [player, foresight] = [new HistoryPlayer(memoryStore(), rules), new Foresight(rules)]
        for (const [index, step] of steps.entries()) {
          const foreseen = foresight.play(step, player.clock.now().getTime())
          expect(await player.play(step, `step ${index}`)).toBe(foreseen)
          expect(await figures(player)).toEqual(foreseenFigures(foresight, player.clock.now().getTime()))
        }
      }),
      SETTINGS,
    )
  })

  it('ends alike, whether what is due is written after each step or only at the end', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(allHistories, async ({ rules, steps }) => {
        const ends = []
        for (const often of [true, false]) {
          const player = new HistoryPlayer(memoryStore(), rules)
          const answers = []
          // The list of grants shows a plan's new period when it is written: it is no way to the same grant.
          for (const [index, step] of steps.filter(({ kind }) => kind !== 'voidListed').entries()) {
            answers.push(await player.play(step, `step ${index}`))
            if (often) await player.credits.runDue()
          }
          await player.credits.runDue()
          ends.push({ answers, seen: await new HistoryView().see(player, WHEN_WRITTEN) })
        }
        expect(ends[0]).toEqual(ends[1])
      }),
      SETTINGS,
    )
  })

  it('is not changed by repeating any beginning of it with the same keys', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(allHistories, fc.nat(), async ({ rules, steps }, cut) => {
        const player = new HistoryPlayer(memoryStore(), rules)
        for (const [index, step] of steps.entries()) await player.play(step, `step ${index}`)
        // News of payments have no keys: what is true at the provider is told.
        await player.tellEverything()
        const view = new HistoryView()
        const before = await view.see(player)
        for (const { repeat, outcome } of player.answered.slice(0, cut % (player.answered.length + 1))) {
          const { transactions, hold } = await repeat()
          expect(transactions).toEqual(outcome.transactions?.map((first) => ({ ...first, replayed: true })))
          expect([hold?.id, hold?.replayed]).toEqual([outcome.hold?.id, outcome.hold && true])
        }
        await player.tellEverything()
        expect(await view.see(player)).toEqual(before)
      }),
      SETTINGS,
    )
  })

  it('tells of any past moment the balance that was told then', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(allHistories, async ({ rules, steps }) => {
        // Ends that were moved are not kept, and what time does beyond ending credits and holds (a plan's period, debt
        // that a hold's end repays) counts from when it was written: see `balanceAt`.
        fc.pre(rules.refundPolicy !== 'extend')
        const player = new HistoryPlayer(memoryStore(), rules)
        const mayOwe = steps.some(({ kind }) => kind === 'moneyBack')
        const told = new Map<number, number[]>()
        for (const [index, step] of steps.filter(({ kind }) => !kind.endsWith('Plan')).entries()) {
          await player.play(step, `step ${index}`)
          if (mayOwe && step.kind === 'wait') await player.credits.runDue()
          told.set(player.clock.now().getTime(), await player.balances())
        }
        for (const [time, balances] of told) expect(await player.balances(new Date(time))).toEqual(balances)
      }),
      SETTINGS,
    )
  })
})

/** Fields that say when a row was written, how often, and what was next at that time. */
const WHEN_WRITTEN = [
  'createdAt',
  'updatedAt',
  'version',
  'keyVersion',
  'nextDueAt',
  'headGrantId',
  'headRemaining',
  'scheduled',
]

async function figures({ credits, userIds }: HistoryPlayer) {
  const all = await Promise.all(userIds.map((id) => credits.getAllBalances(id)))
  return ACCOUNTS.map(({ user, creditType }) => {
    const { balance, held } = { balance: 0, held: 0, ...all[user]?.[creditType] }
    return { balance, held }
  })
}

function foreseenFigures({ model }: Foresight, now: number) {
  model.pass(now)
  return ACCOUNTS.map((_, account) => ({ balance: model.available(account, now), held: model.held(account) }))
}
