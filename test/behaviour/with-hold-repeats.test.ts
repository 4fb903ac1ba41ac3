import { expect, it } from 'vitest'
import { HoldInUseError, HoldNotOpenError, isRetryable } from '../../src/index.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { ledgerOf, MINUTE, onEveryStore, type OpenStage } from './stage.js'

/** A user with 100 credits, and work for 10 of them under one key. */
async function repeating(open: OpenStage) {
  const stage = open()
  const { credits, userId } = stage
  await credits.addCredits(userId, 100, 'calling', 'Welcome')
  const given = {
    userId,
    amount: 10,
    creditType: 'calling',
    description: 'Transcribe',
    idempotencyKey: `intent ${'x'.repeat(240)}`,
    repeats: 'afterFailure',
  } as const
  return { ...stage, given, figures: async () => (await credits.getAllBalances(userId)).calling }
}

const failing = () => {
  throw new RangeError('no such file')
}

onEveryStore('withHold that repeats after failures only', (open) => {
  it('refuses repeats while the first is at work, and does not touch its hold', async () => {
    const { credits, given, figures, userId } = await repeating(open)
    let runs = 0
    const { transaction } = await credits.withHold(given, async () => {
      runs += 1
      const again = credits.withHold(given, () => (runs += 1))
      await expect(again).rejects.toBeInstanceOf(HoldInUseError)
      expect(await again.catch(isRetryable)).toBe(true)
      expect(await figures()).toMatchObject({ held: 10 })
    })
    expect([transaction?.amount, runs]).toEqual([-10, 1])
    await expectSound(credits, userId)
  })

  it('lets exactly one of many concurrent repeats work, also after a failure', async () => {
    const { credits, given, userId } = await repeating(open)
    await expect(credits.withHold(given, failing)).rejects.toThrow('no such file')
    let runs = 0
    const rush = Array.from({ length: 8 }, () =>
      credits.withHold(given, async () => {
        runs += 1
        await new Promise((resolve) => setTimeout(resolve, 20))
      }),
    )
    const codes = (await Promise.allSettled(rush)).map((outcome) =>
      outcome.status === 'fulfilled' ? 'done' : (outcome.reason as HoldInUseError).code,
    )
    expect([codes.filter((code) => code === 'done').length, runs]).toEqual([1, 1])
    expect(codes.filter((code) => !['done', 'HOLD_IN_USE', 'HOLD_NOT_OPEN'].includes(code))).toEqual([])
    expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'usage -10'])
    await expectSound(credits, userId)
  })

  it('works under a new hold after each failure, and is charged once', async () => {
    const { credits, given, userId } = await repeating(open)
    const holds = new Set<string>()
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const failed = credits.withHold(given, ({ hold }) => {
        holds.add(hold.id)
        return failing()
      })
      await expect(failed).rejects.toThrow('no such file')
    }
    const { transaction } = await credits.withHold(given, ({ hold }) => void holds.add(hold.id))
    expect([transaction?.amount, holds.size]).toEqual([-10, 4])
    const refused = credits.withHold(given, failing)
    await expect(refused).rejects.toBeInstanceOf(HoldNotOpenError)
    await expect(refused).rejects.toMatchObject({ status: 'captured' })
    await expectSound(credits, userId)
  })

  it('refuses in the end a key that keeps failing', async () => {
    const { credits, given, figures } = await repeating(open)
    let runs = 0
    const attempt = () =>
      credits.withHold(given, () => {
        runs += 1
        return failing()
      })
    for (let tries = 0; tries < 25; tries += 1) await attempt().catch(() => null)
    await expect(attempt()).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN', status: 'released' })
    expect([runs, await figures()]).toMatchObject([21, { balance: 100, held: 0 }])
  })

  it('refuses a repeat of work that outlived its hold: it may still be charged', async () => {
    const { credits, given, clock } = await repeating(open)
    await credits.withHold(given, () => clock.advance(15 * MINUTE))
    await expect(credits.withHold(given, failing)).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN', status: 'expired' })
  })

  it('compares what is asked with the first call', async () => {
    const { credits, given } = await repeating(open)
    await credits.withHold(given, failing).catch(() => null)
    const other = credits.withHold({ ...given, amount: 11 }, failing)
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'amount' })
  })

  it('repeats priced operations as well', async () => {
    const { service, given, userId } = await repeating(open)
    const credits = service({ operations: { transcribe: { creditType: 'calling', cost: 5 } } })
    const call = { userId, operation: 'transcribe', idempotencyKey: given.idempotencyKey, repeats: given.repeats }
    await credits.withHold(call, failing).catch(() => null)
    expect((await credits.withHold(call, () => null)).transaction?.amount).toBe(-5)
  })
})
