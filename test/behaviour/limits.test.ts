import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, InvalidInputError, isRetryable, LimitExceededError } from '../../src/index.js'
import type { LimitPeriod } from '../../src/ledger/limit.js'
import { expectSound, outcomes, SECOND, times } from '../conformance/credit-store/bench.js'
import { call, limited, limitedBy, usedOf } from './limiting.js'
import { HOUR, MINUTE, onEveryStore } from './stage.js'

onEveryStore('a limit', (open) => {
  it('refuses what goes above it, and says which it was, how much was used and when to try again', async () => {
    const { userId, clock, ...stage } = open()
    const credits = limitedBy(stage, { max: 2, per: 'minute' })
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    for (const amount of [5, 7]) await credits.deductCredits(call(userId, amount))
    clock.advance(20_500)
    const refusal = credits.deductCredits(call(userId))
    await expect(refusal).rejects.toBeInstanceOf(LimitExceededError)
    await expect(refusal).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: 'Limit exceeded for calling: at most 2 calls per minute, 2 used; try again in 40 s',
      creditType: 'calling',
      limit: { max: 2, per: 'minute', of: 'calls' },
      used: 2,
      retryAfterSeconds: 40,
    })
    expect(isRetryable(await refusal.catch((error: unknown) => error))).toBe(true)
    clock.advance(40 * SECOND)
    expect(await credits.deductCredits(call(userId))).toMatchObject({ amount: -1, balanceAfter: 87 })
    await expectSound(credits, userId)
  })

  const boundaries: Record<LimitPeriod, [begins: string, next: string, secondsOfNext: number]> = {
    second: ['2026-03-10T12:00:00.000Z', '2026-03-10T12:00:01.000Z', 1],
    minute: ['2026-03-10T12:00:00.000Z', '2026-03-10T12:01:00.000Z', 60],
    hour: ['2026-03-10T12:00:00.000Z', '2026-03-10T13:00:00.000Z', 3600],
    day: ['2026-03-28T00:00:00.000Z', '2026-03-29T00:00:00.000Z', 86_400],
    week: ['2026-03-09T00:00:00.000Z', '2026-03-16T00:00:00.000Z', 604_800],
    month: ['2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z', 2_678_400],
  }
  it.each(['second', 'minute', 'hour', 'day', 'week', 'month'] as const)(
    'per %s counts from its first millisecond in UTC to its last, and begins anew with the next',
    async (per) => {
      const { userId, clock, ...stage } = open()
      const credits = limitedBy(stage, { max: 2, per })
      const [begins, next, retryAfterSeconds] = boundaries[per]
      clock.set(begins)
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      await credits.deductCredits(call(userId))
      clock.set(next)
      clock.advance(-1)
      await credits.deductCredits(call(userId))
      await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ used: 2, retryAfterSeconds: 1 })
      clock.set(next)
      await credits.deductCredits(call(userId))
      await credits.deductCredits(call(userId))
      await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ used: 2, retryAfterSeconds })
    },
  )

  it('of credits counts what uses take, down to the last credit', async () => {
    const stage = open()
    const { userId } = stage
    const credits = await limited(stage, 10, 'credits')
    await expect(credits.deductCredits(call(userId, 11))).rejects.toMatchObject({
      message: 'Limit exceeded for calling: at most 10 credits per hour, 0 used; try again in 3600 s',
    })
    await credits.deductCredits(call(userId, 6))
    await expect(credits.deductCredits(call(userId, 5))).rejects.toMatchObject({ used: 6 })
    await credits.deductCredits(call(userId, 4))
    await expect(credits.deductCredits(call(userId, 1))).rejects.toMatchObject({ used: 10 })
  })

  it('stands for one account: other users and other credit types are counted for themselves', async () => {
    const stage = open()
    const [{ userId }, other] = [stage, stage.newUser()]
    const credits = await limited(stage, 1)
    await credits.addCredits(other, 10, 'calling', 'Welcome')
    await credits.addCredits(userId, 10, 'scraping', 'Welcome')
    await credits.deductCredits(call(userId))
    await credits.deductCredits(call(other))
    for (let uses = 0; uses < 3; uses += 1) await credits.deductCredits(userId, 1, 'scraping', 'Page')
    await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  it('counts no additions, adjustments and transfers', async () => {
    const stage = open()
    const [{ userId }, other] = [stage, stage.newUser()]
    const credits = await limited(stage, 1)
    await credits.adjustCredits(userId, -10, 'calling', 'Correction')
    await credits.transferCredits({ fromUserId: userId, toUserId: other, amount: 10, creditType: 'calling' })
    await credits.deductCredits(call(userId))
    await credits.adjustCredits(userId, -10, 'calling', 'Correction')
    expect(await usedOf(credits, userId)).toBe(1)
  })

  it('that refuses has written nothing: no row, no count, no key', async () => {
    const stage = open()
    const { userId, clock } = stage
    const credits = await limited(stage, 10, 'credits')
    await credits.deductCredits(call(userId, 8))
    const before = await credits.getTransactionHistory(userId)
    const job = { ...call(userId, 3), idempotencyKey: 'job-1' }
    for (let tries = 0; tries < 3; tries += 1)
      await expect(credits.deductCredits(job)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', used: 8 })
    await expect(credits.holdCredits(job)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', used: 8 })
    expect(await credits.getTransactionHistory(userId)).toEqual(before)
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 992, held: 0 } })
    clock.advance(HOUR)
    expect(await credits.deductCredits(job)).toMatchObject({ amount: -3, replayed: false })
  })

  it('counts nothing of a use that the balance refused', async () => {
    const stage = open()
    const { userId } = stage
    const credits = limitedBy(stage, { max: 1, per: 'hour' })
    await credits.addCredits(userId, 5, 'calling', 'Welcome')
    await expect(credits.deductCredits(call(userId, 6))).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS' })
    expect(await credits.deductCredits(call(userId, 5))).toMatchObject({ balanceAfter: 0 })
  })

  it('lets a repeat of an earlier use through, and counts it once', async () => {
    const stage = open()
    const { userId } = stage
    const credits = await limited(stage, 2)
    const job = { ...call(userId), idempotencyKey: 'job-1' }
    const first = await credits.deductCredits(job)
    expect(await credits.deductCredits(job)).toEqual({ ...first, replayed: true })
    await credits.deductCredits(call(userId))
    expect(await credits.deductCredits(job)).toEqual({ ...first, replayed: true })
    expect(await usedOf(credits, userId)).toBe(2)
  })

  it('keeps its count when the service is made anew with another maximum', async () => {
    const stage = open()
    const { userId } = stage
    const credits = await limited(stage, 3)
    for (let uses = 0; uses < 3; uses += 1) await credits.deductCredits(call(userId))
    const higher = limitedBy(stage, { max: 4, per: 'hour' })
    await higher.deductCredits(call(userId))
    await expect(higher.deductCredits(call(userId))).rejects.toMatchObject({ used: 4 })
    const lower = limitedBy(stage, { max: 2, per: 'hour' })
    await expect(lower.deductCredits(call(userId))).rejects.toMatchObject({ used: 4, limit: { max: 2 } })
  })

  it('is one of several: the one that stands in the way is named, and none of them counts what was refused', async () => {
    const { userId, clock, ...stage } = open()
    const credits = limitedBy(
      stage,
      { max: 2, per: 'minute' },
      { max: 3, per: 'hour' },
      { max: 20, per: 'hour', of: 'credits' },
    )
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    await expect(credits.deductCredits(call(userId, 21))).rejects.toMatchObject({
      limit: { max: 20, of: 'credits' },
      used: 0,
    })
    for (let uses = 0; uses < 2; uses += 1) await credits.deductCredits(call(userId, 9))
    await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ limit: { per: 'minute' }, used: 2 })
    clock.advance(MINUTE)
    await expect(credits.deductCredits(call(userId, 3))).rejects.toMatchObject({ limit: { of: 'credits' }, used: 18 })
    await credits.deductCredits(call(userId, 2))
    await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({
      limit: { max: 3, per: 'hour', of: 'calls' },
      used: 3,
      retryAfterSeconds: 3540,
    })
  })

  describe('and deductions of many', () => {
    it('counts every one of them, and refuses all when one goes above', async () => {
      const stage = open()
      const [{ userId }, other] = [stage, stage.newUser()]
      const credits = await limited(stage, 3)
      await credits.addCredits(other, 10, 'calling', 'Welcome')
      const four = [call(other), ...times(4, () => call(userId))]
      await expect(credits.deductMany(four)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', used: 3 })
      expect(await credits.getBalance(other, 'calling')).toBe(10)
      expect(await credits.getBalance(userId, 'calling')).toBe(1000)
      expect(await credits.deductMany(four.slice(0, 4))).toHaveLength(4)
      expect(await usedOf(credits, userId)).toBe(3)
    })

    it('does not count again those that were done before', async () => {
      const stage = open()
      const { userId } = stage
      const credits = await limited(stage, 3)
      const jobs = times(3, (index) => ({ ...call(userId), idempotencyKey: `job-${index}` }))
      await credits.deductMany(jobs.slice(0, 2))
      expect((await credits.deductMany(jobs)).map(({ replayed }) => replayed)).toEqual([true, true, false])
      expect((await credits.deductMany(jobs)).map(({ replayed }) => replayed)).toEqual([true, true, true])
      expect(await usedOf(credits, userId)).toBe(3)
    })
  })

  describe('and many callers at once', () => {
    it('lets exactly as many calls through as it allows, from two services', async () => {
      const stage = open()
      const { userId } = stage
      const first = await limited(stage, 10)
      const second = limitedBy(stage, { max: 10, per: 'hour' })
      const { succeeded, codes } = await outcomes(
        times(40, (index) => (index % 2 === 0 ? first : second).deductCredits(call(userId))),
      )
      expect(succeeded).toHaveLength(10)
      expect(codes).toEqual({ LIMIT_EXCEEDED: 30 })
      expect(await first.getBalance(userId, 'calling')).toBe(990)
      await expectSound(first, userId)
    })

    it('never lets more credits through than it allows, by uses, holds and deductions of many together', async () => {
      const stage = open()
      const { userId } = stage
      const credits = await limited(stage, 50, 'credits')
      const { codes } = await outcomes<unknown>(
        times(30, (index) => {
          if (index % 3 === 0) return credits.deductCredits(call(userId, 7))
          if (index % 3 === 1) return credits.holdCredits(call(userId, 7))
          return credits.deductMany([call(userId, 3), call(userId, 4)])
        }),
      )
      expect(codes).toEqual({ LIMIT_EXCEEDED: 23 })
      expect(await usedOf(credits, userId)).toBe(49)
      expect(await credits.getBalance(userId, 'calling')).toBe(951)
    })

    it('never gives back more than was counted, however releases and refunds race', async () => {
      const stage = open()
      const { userId } = stage
      const credits = await limited(stage, 50, 'credits')
      const holds = await Promise.all(times(3, () => credits.holdCredits(call(userId, 10))))
      const uses = await Promise.all(times(2, () => credits.deductCredits(call(userId, 10))))
      await outcomes<unknown>([
        ...holds.flatMap(({ id }) => times(3, () => credits.releaseHold({ holdId: id }))),
        ...uses.flatMap(({ id }) => times(3, () => credits.refundCredits(id))),
        ...times(5, () => credits.deductCredits(call(userId, 10))),
      ])
      const { calling } = await credits.getAllBalances(userId)
      expect(await usedOf(credits, userId)).toBe(1000 - calling.balance)
    })
  })
})

describe('limits in the options', () => {
  const wrong: Record<string, unknown> = {
    'of 0': { calling: [{ max: 0, per: 'day' }] },
    'of half a call': { calling: [{ max: 1.5, per: 'day' }] },
    'per fortnight': { calling: [{ max: 1, per: 'fortnight' }] },
    'of something that is not counted': { calling: [{ max: 1, per: 'day', of: 'tokens' }] },
    'with a field nobody knows': { calling: [{ max: 1, per: 'day', each: 1 }] },
    'that are no list': { calling: { max: 1, per: 'day' } },
    'of an unknown credit type': { gold: [{ max: 1, per: 'day' }] },
    'that say the same twice': {
      calling: [
        { max: 1, per: 'day' },
        { max: 2, per: 'day', of: 'calls' },
      ],
    },
  }
  it.each(Object.keys(wrong))('%s are refused when the service is made', (name) => {
    const make = () => Reflect.construct(CreditService, [{ store: memoryStore(), limits: wrong[name] }]) as unknown
    expect(make).toThrow(InvalidInputError)
    // Where it stands among the options, or which name is not known.
    expect(make).toThrow(/limits\.calling|"gold"/)
  })
})
