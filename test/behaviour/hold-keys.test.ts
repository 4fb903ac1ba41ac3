import { expect, it } from 'vitest'
import { expectSound, outcomes, SECOND, times } from '../conformance/credit-store/bench.js'
import { holding } from './holding.js'
import { MINUTE, onEveryStore } from './stage.js'

onEveryStore('a repeated call on a hold', (open) => {
  it('with the key of the hold returns it as it is now, and sets nothing aside again', async () => {
    const { credits, userId, clock } = open()
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    const input = { userId, amount: 60, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const
    const first = await credits.holdCredits(input)
    expect(await credits.holdCredits(input)).toEqual({ ...first, replayed: true })
    expect(await credits.getBalance(userId, 'calling')).toBe(40)
    await credits.captureHold({ holdId: first.id, amount: 50 })
    expect(await credits.holdCredits(input)).toMatchObject({ id: first.id, status: 'captured', captured: 50 })
    clock.advance(400 * 86_400 * SECOND)
    expect(await credits.holdCredits(input)).toMatchObject({ id: first.id, replayed: true })
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    await expectSound(credits, userId)
  })

  it.each([
    ['amount', { amount: 59 }],
    ['creditType', { creditType: 'scraping' }],
    ['description', { description: 'Other' }],
    ['referenceId', { referenceId: 'r1' }],
    ['metadata', { metadata: { a: 1 } }],
    ['expiresInSeconds', { expiresInSeconds: 60 }],
  ] as const)('with its key and another %s is a conflict that names the field', async (field, change) => {
    const { credits, userId } = open()
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    await credits.addCredits(userId, 100, 'scraping', 'Welcome')
    const input = { userId, amount: 30, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const
    await credits.holdCredits(input)
    const conflict = credits.holdCredits({ ...input, ...change })
    await expect(conflict).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field })
    expect(await credits.getBalance(userId, 'calling')).toBe(70)
    expect(await credits.getBalance(userId, 'scraping')).toBe(100)
  })

  it('with the key of a capture, a release or an extension has no second effect', async () => {
    const { credits, userId, holdId, clock, figures } = await holding(open)
    const extend = { holdId, expiresInSeconds: 1200, idempotencyKey: 'extend' }
    const { expiresAt } = await credits.extendHold(extend)
    clock.advance(MINUTE)
    expect(await credits.extendHold(extend)).toMatchObject({ expiresAt, replayed: true })
    const part = { holdId, amount: 10, final: false, idempotencyKey: 'part' }
    const use = await credits.captureHold(part)
    expect(await credits.captureHold(part)).toEqual({ ...use, replayed: true })
    expect(await figures()).toMatchObject({ balance: 40, owned: 90, held: 50 })
    const release = { holdId, idempotencyKey: 'release' }
    expect(await credits.releaseHold(release)).toMatchObject({ status: 'released', replayed: false })
    expect(await credits.releaseHold(release)).toMatchObject({ status: 'released', captured: 10, replayed: true })
    expect(await credits.captureHold(part)).toEqual({ ...use, replayed: true })
    expect(await figures()).toMatchObject({ balance: 90, owned: 90, held: 0 })
    await expectSound(credits, userId)
  })

  it('with the key of something else is a conflict that names the field', async () => {
    const { credits, userId, holdId } = await holding(open)
    const other = await credits.holdCredits({ userId, amount: 5, creditType: 'calling', description: 'Other' })
    const used = { holdId, amount: 10, final: false, idempotencyKey: 'key' }
    await credits.captureHold(used)
    const conflicts = {
      amount: () => credits.captureHold({ ...used, amount: 11 }),
      final: () => credits.captureHold({ ...used, final: true }),
      holdId: () => credits.captureHold({ ...used, holdId: other.id, amount: 5 }),
      operation: () => credits.releaseHold({ holdId, idempotencyKey: 'key' }),
    }
    for (const [field, conflict] of Object.entries(conflicts)) {
      await expect(conflict()).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field })
    }
    const deduct = {
      userId,
      amount: 10,
      creditType: 'calling',
      description: 'Long call',
      idempotencyKey: 'key',
    } as const
    await expect(credits.deductCredits(deduct)).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
    await expectSound(credits, userId)
  })

  it('twenty at once with one key: one hold, and all of them get it', async () => {
    const { credits, userId } = open()
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    const input = { userId, amount: 60, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const
    const { succeeded, codes } = await outcomes(times(20, () => credits.holdCredits(input)))
    expect(codes).toEqual({})
    expect(new Set(succeeded.map(({ id }) => id)).size).toBe(1)
    expect(succeeded.filter(({ replayed }) => !replayed)).toHaveLength(1)
    expect(await credits.getBalance(userId, 'calling')).toBe(40)
  })

  it('that was refused burns no key', async () => {
    const { credits, userId } = open()
    const input = { userId, amount: 60, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const
    await expect(credits.holdCredits(input)).rejects.toThrow('Available: 0')
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    const { id: holdId } = await credits.holdCredits(input)
    const capture = { holdId, amount: 61, idempotencyKey: 'capture' }
    await expect(credits.captureHold(capture)).rejects.toThrow('left of the hold')
    expect(await credits.captureHold({ ...capture, amount: 60 })).toMatchObject({ amount: -60, replayed: false })
  })
})
