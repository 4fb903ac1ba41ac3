import { expect, it } from 'vitest'
import type { CreditServiceOptions, EventKind } from '../../src/index.js'
import { later, outcomes, times } from '../conformance/credit-store/bench.js'
import { listen, type Listener } from './listening.js'
import { HOUR, onEveryStore } from './stage.js'

const call = { creditType: 'calling', description: 'Call' } as const
const LOW: readonly EventKind[] = ['balanceLow']

/** What was told of falls, as `kind threshold: balance`. */
async function falls({ finished, of }: Listener, userId: string): Promise<string[]> {
  await finished()
  return of(userId).flatMap((event) => {
    if (event.kind === 'balanceLow') return [`low ${event.threshold}: ${event.balance}`]
    return event.kind === 'depleted' ? [`depleted: ${event.balance}`] : []
  })
}

onEveryStore('balanceLow', (open) => {
  it('is told when the balance falls to a threshold, with the threshold and the balance', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: [10] })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 30 })
    await credits.deductCredits({ ...call, userId, amount: 19 })
    expect(await falls(listener, userId)).toEqual([])
    await credits.deductCredits({ ...call, userId, amount: 1 })
    await listener.finished()
    expect(listener.of(userId)).toMatchObject([
      { kind: 'balanceLow', userId, creditType: 'calling', createdAt: clock.now(), threshold: 10, balance: 10 },
    ])
  })

  it('is told once per fall: again only after the balance has been above the threshold', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: [10] })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 20 })
    for (const amount of [12, 1, 1]) await credits.deductCredits({ ...call, userId, amount })
    expect(await falls(listener, userId)).toEqual(['low 10: 8'])
    // Back at the threshold, but not above it.
    await credits.addCredits({ ...call, userId, amount: 4 })
    await credits.deductCredits({ ...call, userId, amount: 2 })
    expect(await falls(listener, userId)).toEqual(['low 10: 8'])
    await credits.addCredits({ ...call, userId, amount: 3 })
    await credits.deductCredits({ ...call, userId, amount: 5 })
    expect(await falls(listener, userId)).toEqual(['low 10: 8', 'low 10: 6'])
  })

  it('names the lowest of the thresholds the balance fell to at once, and arms each for itself', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: [50, 10, 20] })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    await credits.deductCredits({ ...call, userId, amount: 55 })
    await credits.deductCredits({ ...call, userId, amount: 40 })
    await credits.addCredits({ ...call, userId, amount: 25 })
    await credits.deductCredits({ ...call, userId, amount: 12 })
    await credits.deductCredits({ ...call, userId, amount: 18 })
    expect(await falls(listener, userId)).toEqual(['low 50: 45', 'low 10: 5', 'low 20: 18', 'low 10: 0'])
  })

  it('counts percentages of the last addition, whatever was given back since', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: ['10%'] })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 200 })
    const use = await credits.deductCredits({ ...call, userId, amount: 100 })
    await credits.refundCredits({ transactionId: use.id, amount: 10 })
    await credits.deductCredits({ ...call, userId, amount: 90 })
    expect(await falls(listener, userId)).toEqual(['low 20: 20'])
    await credits.addCredits({ ...call, userId, amount: 59 })
    await credits.deductCredits({ ...call, userId, amount: 73 })
    expect(await falls(listener, userId)).toEqual(['low 20: 20'])
    await credits.deductCredits({ ...call, userId, amount: 1 })
    expect(await falls(listener, userId)).toEqual(['low 20: 20', 'low 5: 5'])
  })

  it('has thresholds per credit type, or the same for all', async () => {
    const { userId, ...stage } = open()
    const byType: CreditServiceOptions = { lowBalance: { calling: [10] } }
    for (const { lowBalance, expected } of [
      { ...byType, expected: ['low 10: 5'] },
      { lowBalance: [10], expected: ['low 10: 5', 'low 10: 5'] },
    ]) {
      const listener = listen(stage, LOW, { lowBalance })
      const { credits } = listener
      const user = `${userId}-${expected.length}`
      for (const creditType of ['calling', 'scraping'] as const) {
        await credits.addCredits(user, 20, creditType, 'Welcome')
        await credits.deductCredits(user, 15, creditType, 'Use')
      }
      expect(await falls(listener, user)).toEqual(expected)
    }
  })

  it('is not told to those who never were above the threshold', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: [10] })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 8 })
    await credits.deductCredits({ ...call, userId, amount: 3 })
    await credits.runDue()
    expect(await falls(listener, userId)).toEqual([])
  })

  it('is told of falls by holds, adjustments, transfers and voided grants, too', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: [10] })
    const { credits } = listener
    const fill = async () => {
      const { calling } = await credits.getAllBalances(userId)
      return credits.addCredits({ ...call, userId, amount: 30 - calling.balance })
    }
    await fill()
    const hold = await credits.holdCredits({ ...call, userId, amount: 21 })
    await credits.releaseHold({ holdId: hold.id })
    await credits.adjustCredits(userId, -22, 'calling', 'Correction')
    await fill()
    await credits.transferCredits({ fromUserId: userId, toUserId: stage.newUser(), amount: 23, creditType: 'calling' })
    const { id: grantId } = await fill()
    await credits.voidGrant({ grantId, reason: 'A mistake' })
    expect(await falls(listener, userId)).toEqual(['low 10: 9', 'low 10: 8', 'low 10: 7', 'low 10: 7'])
  })

  it('is told when the fall comes from an expiry, by whoever writes it, once', async () => {
    for (const isSwept of [true, false]) {
      const { userId, clock, ...stage } = open()
      const listener = listen(stage, LOW, { lowBalance: [10] })
      const { credits } = listener
      await credits.addCredits({ ...call, userId, amount: 5 })
      await credits.addCredits({ ...call, userId, amount: 20, expiresAt: later(clock, HOUR) })
      clock.advance(HOUR)
      expect(await falls(listener, userId)).toEqual([])
      if (!isSwept) await credits.deductCredits({ ...call, userId, amount: 1 })
      await Promise.all([credits.runDue(), credits.runDue()])
      expect(await falls(listener, userId)).toEqual([isSwept ? 'low 10: 5' : 'low 10: 4'])
      await credits.deductCredits({ ...call, userId, amount: 1 })
      expect(await falls(listener, userId)).toHaveLength(1)
    }
  })

  it('I3 fires once per crossing, across two service instances and a restart, and is armed again by a top-up', async () => {
    const { userId, ...stage } = open()
    const told: string[] = []
    const start = () => {
      const listener = listen(stage, LOW, {
        lowBalance: [10],
        respond: (event) => {
          if (event.userId === userId && event.kind === 'balanceLow') told.push(`${event.threshold}: ${event.balance}`)
        },
      })
      const use = async (amount: number) => {
        await listener.credits.deductCredits({ ...call, userId, amount })
        await listener.finished()
      }
      return { ...listener, use }
    }
    const [first, second] = [start(), start()]
    await first.credits.addCredits({ ...call, userId, amount: 20 })
    await second.use(9)
    await first.use(2)
    await second.use(1)
    const restarted = start()
    await restarted.use(1)
    expect(told).toEqual(['10: 9'])
    await second.credits.addCredits({ ...call, userId, amount: 20 })
    await restarted.use(18)
    await first.use(1)
    expect(told).toEqual(['10: 9', '10: 9'])
  })

  it('is told by the service that listens, though another one of the host that does not made the fall', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, LOW, { lowBalance: [10] })
    await listener.credits.addCredits({ ...call, userId, amount: 20 })
    const worker = stage.service({})
    await worker.deductCredits({ ...call, userId, amount: 12 })
    expect(await falls(listener, userId)).toEqual([])
    await listener.credits.deductCredits({ ...call, userId, amount: 1 })
    expect(await falls(listener, userId)).toEqual(['low 10: 7'])
  })

  it('I3 fires once when many uses of two instances race over the threshold', async () => {
    const { userId, ...stage } = open()
    const listeners = times(2, () => listen(stage, LOW, { lowBalance: [10] }))
    await listeners[0]?.credits.addCredits({ ...call, userId, amount: 30 })
    const { codes } = await outcomes(
      times(40, async (index) => listeners[index % 2]?.credits.deductCredits({ ...call, userId, amount: 1 })),
    )
    expect(codes).toEqual({ INSUFFICIENT_CREDITS: 10 })
    const told = await Promise.all(listeners.map((listener) => falls(listener, userId)))
    expect(told.flat()).toEqual(['low 10: 10'])
  })
})

onEveryStore('depleted', (open) => {
  it('is told when nothing is left, once, and again after a top-up', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, ['depleted', 'balanceLow'], { lowBalance: [10] })
    const { credits } = listener
    for (let rounds = 0; rounds < 2; rounds += 1) {
      await credits.addCredits({ ...call, userId, amount: 20 })
      await credits.deductCredits({ ...call, userId, amount: 15 })
      await credits.deductCredits({ ...call, userId, amount: 5 })
      await outcomes(times(3, () => credits.deductCredits({ ...call, userId, amount: 1 })))
    }
    const round = ['low 10: 5', 'depleted: 0']
    expect(await falls(listener, userId)).toEqual([...round, ...round])
  })

  it('needs no threshold, and comes with the low balance when both are reached at once', async () => {
    const { userId, ...stage } = open()
    const without = listen(stage, ['depleted'])
    await without.credits.addCredits({ ...call, userId, amount: 20 })
    await without.credits.deductCredits({ ...call, userId, amount: 20 })
    expect(await falls(without, userId)).toEqual(['depleted: 0'])
    const both = listen(stage, ['depleted', 'balanceLow'], { lowBalance: [10] })
    const other = stage.newUser()
    await both.credits.addCredits({ ...call, userId: other, amount: 20 })
    await both.credits.deductCredits({ ...call, userId: other, amount: 20 })
    expect(await falls(both, other)).toEqual(['low 10: 0', 'depleted: 0'])
  })

  it('is told of an expiry, and of a hold that leaves nothing', async () => {
    const { userId, clock, ...stage } = open()
    const other = stage.newUser()
    const listener = listen(stage, ['depleted'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 20, expiresAt: later(clock, HOUR) })
    await credits.addCredits({ ...call, userId: other, amount: 20 })
    await credits.holdCredits({ ...call, userId: other, amount: 20 })
    expect(await falls(listener, other)).toEqual(['depleted: 0'])
    clock.advance(HOUR)
    await credits.runDue()
    expect(await falls(listener, userId)).toEqual(['depleted: 0'])
  })
})
