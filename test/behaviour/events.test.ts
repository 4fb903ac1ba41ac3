import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { type CreditEvent, CreditService, InvalidInputError } from '../../src/index.js'
import { DAY, later, outcomes, times } from '../conformance/credit-store/bench.js'
import { listen } from './listening.js'
import { PLANS } from './planning.js'
import { HOUR, MINUTE, onEveryStore } from './stage.js'

const call = { creditType: 'calling', description: 'Call' } as const

/** Events without their ids. */
function withoutIds(events: readonly CreditEvent[]): object[] {
  return events.map(({ id: _id, ...event }) => event)
}

onEveryStore('an event', (open) => {
  it('added is told of credits that came in, with the transaction and the balance after the whole step', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage)
    const { credits } = listener
    const gift = await credits.addCredits({ ...call, userId, amount: 10, description: 'Gift' })
    const correction = await credits.adjustCredits(userId, 5, 'calling', 'Correction')
    await listener.finished()
    const about = { kind: 'added', userId, creditType: 'calling', createdAt: clock.now() }
    expect(withoutIds(listener.of(userId))).toEqual([
      { ...about, transactionId: gift.id, amount: 10, description: 'Gift', balance: 10 },
      { ...about, transactionId: correction.id, amount: 5, description: 'Correction', balance: 15 },
    ])
    expect(new Set(listener.of(userId).map(({ id }) => id)).size).toBe(2)
  })

  it('added is told of plans and of what another user sent, to the receiver alone', async () => {
    const { userId, clock, ...stage } = open()
    const receiver = stage.newUser()
    const listener = listen(stage, ['added', 'deducted'], { plans: PLANS })
    const { credits } = listener
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.transferCredits({ fromUserId: userId, toUserId: receiver, amount: 40, creditType: 'calling' })
    await listener.finished()
    clock.set('2026-04-10T12:00:00.000Z')
    await credits.deductCredits({ ...call, userId, amount: 1 })
    await listener.finished()
    expect(listener.of(userId)).toMatchObject([
      { kind: 'added', amount: 100, description: 'Plan credits: basic', balance: 100 },
      { kind: 'added', amount: 100, description: 'Plan credits: basic', balance: 99 },
      { kind: 'deducted', amount: 1, balance: 99 },
    ])
    expect(listener.of(receiver)).toMatchObject([{ kind: 'added', amount: 40, description: 'Transfer', balance: 40 }])
  })

  it('deducted is told of uses and captures, with what they were for', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, ['deducted'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    const reference = { referenceId: 'job-1', referenceType: 'job' }
    const use = await credits.deductCredits({ ...call, ...reference, userId, amount: 30 })
    const { transaction } = await credits.withHold({ ...call, userId, amount: 20 }, (held) => held.setCost(5))
    await listener.finished()
    const about = { kind: 'deducted', userId, creditType: 'calling', createdAt: clock.now(), description: 'Call' }
    expect(withoutIds(listener.of(userId))).toEqual([
      { ...about, ...reference, transactionId: use.id, amount: 30, balance: 70 },
      { ...about, referenceId: null, referenceType: null, transactionId: transaction?.id, amount: 5, balance: 65 },
    ])
  })

  it('refunded is told of credits that are given back, and names the use', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, ['refunded', 'added'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    const use = await credits.deductCredits({ ...call, userId, amount: 30 })
    const refund = await credits.refundCredits({ transactionId: use.id, amount: 10, reason: 'Half done' })
    await listener.finished()
    expect(listener.kinds(userId)).toEqual(['added', 'refunded'])
    expect(withoutIds(listener.of(userId).slice(1))).toEqual([
      {
        kind: 'refunded',
        userId,
        creditType: 'calling',
        createdAt: clock.now(),
        transactionId: refund.id,
        refundedTransactionId: use.id,
        amount: 10,
        description: 'Half done',
        balance: 80,
      },
    ])
  })

  it('held is told of a new hold, and not of what becomes of it', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, ['held'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    const hold = await credits.holdCredits({ ...call, userId, amount: 30, expiresInSeconds: 60 })
    await credits.extendHold({ holdId: hold.id, expiresInSeconds: 120 })
    await credits.captureHold({ holdId: hold.id, amount: 10, final: false })
    await credits.releaseHold({ holdId: hold.id })
    await listener.finished()
    const expiresAt = later(clock, MINUTE).toISOString()
    const about = { kind: 'held', userId, creditType: 'calling', createdAt: clock.now() }
    expect(withoutIds(listener.of(userId))).toEqual([{ ...about, holdId: hold.id, amount: 30, expiresAt, balance: 70 }])
  })

  it('expired is told once, by whoever writes it first', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, ['expired'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 10, expiresAt: later(clock, HOUR) })
    await credits.addCredits({ ...call, userId, amount: 7, expiresAt: later(clock, 2 * HOUR) })
    await credits.addCredits({ ...call, userId, amount: 100 })
    clock.advance(HOUR)
    await outcomes<unknown>([credits.runDue(), credits.runDue(), credits.deductCredits({ ...call, userId, amount: 1 })])
    await listener.finished()
    clock.advance(HOUR)
    await outcomes<unknown>([credits.runDue(), credits.runDue()])
    await listener.finished()
    const [first, second] = (await credits.getTransactionHistory(userId))
      .reverse()
      .filter(({ transactionType }) => transactionType === 'expiration')
    const told = { kind: 'expired', description: 'Credits expired' }
    expect(listener.of(userId)).toMatchObject([
      { ...told, transactionId: first?.id, amount: 10 },
      // The use had taken one of it: it burns before credits that never end.
      { ...told, transactionId: second?.id, amount: 6, balance: 100 },
    ])
  })

  it('expiringSoon is told once per grant, as long before its end as configured', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, ['expiringSoon'], { expiringSoonSeconds: 3600 })
    const { credits } = listener
    const grant = await credits.addCredits({ ...call, userId, amount: 10, expiresAt: later(clock, 2 * HOUR) })
    await credits.addCredits({ ...call, userId, amount: 5 })
    clock.advance(HOUR - 1)
    await credits.runDue()
    expect(listener.of(userId)).toEqual([])
    clock.advance(1)
    await credits.deductCredits({ ...call, userId, amount: 4 })
    await Promise.all([credits.runDue(), credits.runDue()])
    clock.advance(1000)
    await credits.runDue()
    await listener.finished()
    const payload = { grantId: grant.id, amount: 6, expiresAt: later(clock, HOUR - 1000).toISOString(), balance: 11 }
    expect(listener.of(userId)).toMatchObject([{ kind: 'expiringSoon', ...payload }])
  })

  it('expiringSoon is told a week before, unless configured, and not of credits that are gone', async () => {
    const { userId, clock, ...stage } = open()
    const used = stage.newUser()
    const listener = listen(stage, ['expiringSoon'])
    const { credits } = listener
    for (const each of [userId, used])
      await credits.addCredits({ ...call, userId: each, amount: 10, expiresAt: later(clock, 8 * DAY) })
    await credits.deductCredits({ ...call, userId: used, amount: 10 })
    await credits.runDue()
    expect(listener.of(userId)).toEqual([])
    clock.advance(DAY)
    await credits.runDue()
    expect([listener.of(userId).length, listener.of(used).length]).toEqual([1, 0])
  })

  it('limitReached is told when the last of what is allowed was used, and not of what is refused then', async () => {
    const { userId, clock, ...stage } = open()
    const limits = { calling: [{ max: 2, per: 'hour' as const }] }
    const listener = listen(stage, ['limitReached'], { limits })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    clock.advance(10 * MINUTE)
    await credits.deductCredits({ ...call, userId, amount: 1 })
    await credits.holdCredits({ ...call, userId, amount: 1 })
    await outcomes(times(3, () => credits.deductCredits({ ...call, userId, amount: 1 })))
    await listener.finished()
    const about = { kind: 'limitReached', userId, creditType: 'calling', createdAt: clock.now() }
    const payload = { max: 2, per: 'hour', of: 'calls', resetsAt: '2026-03-10T13:00:00.000Z' }
    expect(withoutIds(listener.of(userId))).toEqual([{ ...about, ...payload }])
  })

  it('is told of each part of a deduction of many, in its order', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, ['deducted'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    const rows = await credits.deductMany([1, 2, 3].map((amount) => ({ ...call, userId, amount })))
    await listener.finished()
    // The balance is that after the whole step.
    expect(listener.of(userId)).toMatchObject(rows.map(({ id }) => ({ transactionId: id, balance: 94 })))
  })
})

onEveryStore('no event', (open) => {
  it('is kept for kinds that nobody listens to', async () => {
    const { userId, ...stage } = open()
    const some = listen(stage, ['deducted'])
    await some.credits.addCredits({ ...call, userId, amount: 10 })
    await some.credits.deductCredits({ ...call, userId, amount: 1 })
    await some.finished()
    const nobody = stage.service()
    await nobody.deductCredits({ ...call, userId, amount: 1 })
    await nobody.runDue()
    const all = listen(stage)
    await all.credits.runDue()
    expect(some.kinds(userId)).toEqual(['deducted'])
    expect(all.of(userId)).toEqual([])
  })

  it('is told of a write that was refused', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, undefined, { limits: { calling: [{ max: 1, per: 'hour' }] } })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 10 })
    await credits.deductCredits({ ...call, userId, amount: 1 })
    await listener.finished()
    const before = listener.of(userId).length
    await expect(credits.deductCredits({ ...call, userId, amount: 1 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    })
    clock.advance(HOUR)
    const many = [1, 100].map((amount) => ({ ...call, userId, amount }))
    const { codes } = await outcomes<unknown>([
      credits.deductCredits({ ...call, userId, amount: 100 }),
      credits.holdCredits({ ...call, userId, amount: 100 }),
      credits.adjustCredits(userId, -100, 'calling', 'Too much'),
      credits.deductMany(many.slice(1)),
      credits.transferCredits({ fromUserId: userId, toUserId: stage.newUser(), amount: 100, creditType: 'calling' }),
    ])
    expect(codes).toEqual({ INSUFFICIENT_CREDITS: 5 })
    await expect(credits.deductMany(many)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await credits.runDue()
    await listener.finished()
    expect(listener.of(userId)).toHaveLength(before)
  })

  it('is told again of a write that is repeated with its key', async () => {
    const { userId, ...stage } = open()
    const listener = listen(stage, ['added', 'held'])
    const { credits } = listener
    const gift = { ...call, userId, amount: 10, idempotencyKey: 'gift' }
    const hold = { ...call, userId, amount: 4, idempotencyKey: 'hold' }
    await Promise.all(times(5, () => credits.addCredits(gift)))
    await Promise.all(times(5, () => credits.holdCredits(hold)))
    await credits.runDue()
    await listener.finished()
    expect(listener.kinds(userId)).toEqual(['added', 'held'])
  })
})

describe('callbacks in the options', () => {
  it('for events that there are not are refused when the service is made', () => {
    const make = () =>
      Reflect.construct(CreditService, [{ store: memoryStore(), on: { bought: () => null } }]) as unknown
    expect(make).toThrow(InvalidInputError)
    expect(make).toThrow('on: "bought" is no event; known: added, deducted')
  })

  it.each<[string, unknown]>([
    ['half a credit', [0.5]],
    ['less than nothing', [-1]],
    ['a share of more than all', ['101%']],
    ['a text', ['low']],
    ['an unknown credit type', { gold: [5] }],
  ])('at thresholds that cannot be are refused when the service is made: %s', (_, lowBalance) => {
    const make = () => Reflect.construct(CreditService, [{ store: memoryStore(), lowBalance }]) as unknown
    expect(make).toThrow(InvalidInputError)
  })
})
