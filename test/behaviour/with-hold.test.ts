import { describe, expect, it } from 'vitest'
import {
  HoldNotOpenError,
  InsufficientCreditsError,
  type CreditServiceOptions,
  type DefaultCreditType,
  type HeldWork,
} from '../../src/index.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { ledgerOf, MINUTE, onEveryStore, type OpenStage } from './stage.js'

const input = (userId: string) =>
  ({ userId, amount: 60, creditType: 'calling', description: 'Transcribe', expiresInSeconds: 600 }) as const

/** A user with 100 credits. */
async function funded(open: OpenStage) {
  const stage = open()
  const { credits, userId } = stage
  await credits.addCredits(userId, 100, 'calling', 'Welcome')
  return { ...stage, figures: async () => (await credits.getAllBalances(userId)).calling }
}

onEveryStore('withHold', (open) => {
  describe('work with a hold', () => {
    it('is charged what it says it cost, and the rest comes back', async () => {
      const { credits, userId, figures } = await funded(open)
      const metadata = { file: 'a.wav' }
      const given = { ...input(userId), referenceId: 'job-1', referenceType: 'job', metadata, actor: 'worker' }
      const { result, transaction, uncovered } = await credits.withHold(given, async (held) => {
        expect(held.hold).toMatchObject({ amount: 60, status: 'open' })
        await Promise.resolve()
        held.setCost(42)
        return 'text'
      })
      expect([result, uncovered]).toEqual(['text', 0])
      expect(transaction).toMatchObject({
        transactionType: 'usage',
        amount: -42,
        description: 'Transcribe',
        referenceId: 'job-1',
        referenceType: 'job',
        metadata,
        actor: 'worker',
        replayed: false,
      })
      expect(await figures()).toMatchObject({ balance: 58, owned: 58, held: 0, totalUsed: 42 })
      await expectSound(credits, userId)
    })

    it('is charged everything that is held when it says nothing, and its last word counts', async () => {
      const { credits, userId } = await funded(open)
      const silent = await credits.withHold(input(userId), () => 7)
      expect([silent.result, silent.transaction?.amount]).toEqual([7, -60])
      const twice = await credits.withHold({ ...input(userId), amount: 40 }, (held) => {
        held.setCost(30)
        held.setCost(10)
      })
      expect(twice.transaction?.amount).toBe(-10)
      expect(await credits.getBalance(userId, 'calling')).toBe(30)
    })

    it('E11 runs with no transaction open and the funds reserved: it may use the service, also on one connection', async () => {
      const { credits, userId, figures } = await funded(open)
      const { transaction } = await credits.withHold(input(userId), async () => {
        expect(await credits.getBalance(userId, 'calling')).toBe(40)
        await credits.deductCredits(userId, 40, 'calling', 'Meanwhile')
        await expect(credits.deductCredits(userId, 1, 'calling', 'Reserved')).rejects.toThrow('Available: 0')
        const inner = await credits.addCredits(userId, 5, 'calling', 'Meanwhile')
        await credits.withHold({ ...input(userId), amount: 5 }, () => inner.id)
      })
      expect(transaction?.amount).toBe(-60)
      expect(await figures()).toMatchObject({ balance: 0, owned: 0, held: 0, totalUsed: 105 })
      await expectSound(credits, userId)
    })

    it('E11 does not begin when the balance does not cover it', async () => {
      const { credits, userId } = await funded(open)
      let begun = false
      const refused = credits.withHold({ ...input(userId), amount: 101 }, () => (begun = true))
      await expect(refused).rejects.toBeInstanceOf(InsufficientCreditsError)
      await expect(refused).rejects.toMatchObject({ required: 101, available: 100 })
      expect(begun).toBe(false)
    })

    it('that throws costs nothing, and its own error comes out', async () => {
      const { credits, userId, figures } = await funded(open)
      const failure = new RangeError('no such file')
      const works = [
        () => Promise.reject(failure),
        () => {
          throw failure
        },
        (held: HeldWork<DefaultCreditType>) => {
          held.setCost(10)
          throw failure
        },
      ]
      for (const work of works) await expect(credits.withHold(input(userId), work)).rejects.toBe(failure)
      expect(await figures()).toMatchObject({ balance: 100, owned: 100, held: 0 })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100'])
      await expectSound(credits, userId)
    })

    it('that cost nothing writes nothing', async () => {
      const { credits, userId, figures } = await funded(open)
      const done = await credits.withHold(input(userId), (held) => held.setCost(0))
      expect(done).toEqual({ result: undefined, transaction: null, uncovered: 0 })
      expect(await figures()).toMatchObject({ balance: 100, held: 0 })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100'])
    })

    it('that names an impossible cost hears of it, and is not charged', async () => {
      const { credits, userId, figures } = await funded(open)
      for (const cost of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
        const wrong = credits.withHold(input(userId), (held) => held.setCost(cost))
        await expect(wrong).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      }
      const noOperation = credits.withHold(input(userId), (held) => held.setParams({ minutes: 1 }))
      await expect(noOperation).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: 'params' }] })
      expect(await figures()).toMatchObject({ balance: 100, held: 0 })
    })

    it('that cost more than was held is charged all of it, where the balance covers that', async () => {
      const { credits, userId, figures } = await funded(open)
      const { transaction, uncovered } = await credits.withHold(input(userId), (held) => held.setCost(95))
      expect([transaction?.amount, uncovered]).toEqual([-95, 0])
      expect(await figures()).toMatchObject({ balance: 5, owned: 5, held: 0 })
      await expectSound(credits, userId)
    })

    it('that cost more than there is is charged what was held, and tells the rest', async () => {
      const { credits, userId, figures } = await funded(open)
      const { result, transaction, uncovered } = await credits.withHold(input(userId), (held) => {
        held.setCost(130)
        return 'done'
      })
      expect([result, transaction?.amount, uncovered]).toEqual(['done', -60, 70])
      expect(await figures()).toMatchObject({ balance: 40, owned: 40, held: 0 })
      await expectSound(credits, userId)
    })

    it('that outlives its timeout is charged as any other use', async () => {
      const { credits, userId, clock, figures, store } = await funded(open)
      const given = { ...input(userId), referenceId: 'job-1', metadata: { a: 1 } }
      const { transaction, uncovered } = await credits.withHold(given, (held) => {
        clock.advance(10 * MINUTE)
        held.setCost(70)
        return held.hold.id
      })
      expect(uncovered).toBe(0)
      expect(transaction).toMatchObject({
        amount: -70,
        description: 'Transcribe',
        referenceId: 'job-1',
        metadata: { a: 1 },
        replayed: false,
      })
      expect(await figures()).toMatchObject({ balance: 30, owned: 30, held: 0, totalUsed: 70 })
      const { result: holdId } = await credits.withHold({ ...input(userId), amount: 1 }, ({ hold }) => {
        clock.advance(10 * MINUTE)
        return hold.id
      })
      expect(await store.findHold(holdId, clock.now())).toMatchObject({ status: 'expired', captured: 0 })
      await expectSound(credits, userId)
    })

    it('that outlives its timeout while the credits are spent elsewhere goes uncovered, and is not half charged', async () => {
      const { credits, userId, clock, figures } = await funded(open)
      const { result, transaction, uncovered } = await credits.withHold(input(userId), async () => {
        clock.advance(10 * MINUTE)
        await credits.deductCredits(userId, 41, 'calling', 'Meanwhile')
        return 'done'
      })
      expect([result, transaction, uncovered]).toEqual(['done', null, 60])
      expect(await figures()).toMatchObject({ balance: 59, owned: 59, held: 0 })
      await expectSound(credits, userId)
    })

    it('may extend its hold while it runs', async () => {
      const { credits, userId, clock, store } = await funded(open)
      const { result: holdId } = await credits.withHold(input(userId), async ({ hold }) => {
        clock.advance(9 * MINUTE)
        await credits.extendHold({ holdId: hold.id, expiresInSeconds: 600 })
        clock.advance(9 * MINUTE)
        return hold.id
      })
      expect(await store.findHold(holdId, clock.now())).toMatchObject({ status: 'captured', captured: 60 })
    })

    it('repeated with its key after it has ended is not done again', async () => {
      const { credits, userId, figures } = await funded(open)
      let runs = 0
      const ends = {
        captured: () => 'done',
        released: () => {
          throw new RangeError('failed')
        },
      }
      for (const [status, work] of Object.entries(ends)) {
        const given = { ...input(userId), amount: 10, idempotencyKey: status }
        const counted = () => {
          runs += 1
          return work()
        }
        await credits.withHold(given, counted).catch(() => null)
        const again = credits.withHold(given, counted)
        await expect(again).rejects.toBeInstanceOf(HoldNotOpenError)
        await expect(again).rejects.toMatchObject({ status })
      }
      expect(runs).toBe(2)
      expect(await figures()).toMatchObject({ balance: 90, held: 0, totalUsed: 10 })
      await expectSound(credits, userId)
    })

    it('is refused within a database transaction, before anything is held', async () => {
      const { credits, userId } = await funded(open)
      let begun = false
      const wrong = { ...input(userId), tx: {} }
      const refused = credits.withHold(wrong, () => (begun = true))
      await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: 'tx' }] })
      await expect(refused).rejects.toThrow('no database transaction may stay open while the work runs')
      expect(begun).toBe(false)
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
    })
  })

  describe('work on a priced operation with a hold', () => {
    const operations: NonNullable<CreditServiceOptions['operations']> = {
      transcribe: { creditType: 'calling', cost: { unit: 'minutes', credits: 2 }, version: 3 },
      free: { creditType: 'calling', cost: 0 },
    }

    async function priced() {
      const stage = await funded(open)
      return { ...stage, credits: stage.service({ operations }) }
    }

    it('holds the price of its params, and is charged the price of what it really was', async () => {
      const { credits, userId } = await priced()
      const given = { userId, operation: 'transcribe', params: { minutes: 30 }, expiresInSeconds: 60 }
      const { transaction } = await credits.withHold(given, async (held) => {
        expect(held.hold).toMatchObject({
          amount: 60,
          description: 'transcribe',
          operation: { name: 'transcribe', params: { minutes: 30 }, priceVersion: '3' },
        })
        expect(await credits.getBalance(userId, 'calling')).toBe(40)
        held.setParams({ minutes: 12 })
      })
      expect(transaction).toMatchObject({
        amount: -24,
        operation: { name: 'transcribe', params: { minutes: 12 }, priceVersion: '3' },
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(76)
      await expectSound(credits, userId)
    })

    it('is kept with the use as it was held when the work says nothing else', async () => {
      const { credits, userId } = await priced()
      const given = { userId, operation: 'transcribe', params: { minutes: 5 }, description: 'Interview' }
      const { transaction } = await credits.withHold(given, () => null)
      const operation = { name: 'transcribe', params: { minutes: 5 }, priceVersion: '3' }
      expect(transaction).toMatchObject({ amount: -10, description: 'Interview', operation })
      expect((await credits.getTransactionHistory(userId))[0]).toMatchObject({ operation })
    })

    it('keeps its operation also when it outlives its timeout', async () => {
      const { credits, userId, clock } = await priced()
      const given = { userId, operation: 'transcribe', params: { minutes: 5 } }
      const { transaction } = await credits.withHold(given, (held) => {
        clock.advance(15 * MINUTE)
        held.setParams({ minutes: 7 })
      })
      expect(transaction).toMatchObject({ amount: -14, operation: { params: { minutes: 7 } } })
      const silent = await credits.withHold(given, () => clock.advance(15 * MINUTE))
      expect(silent.transaction).toMatchObject({ amount: -10, operation: { params: { minutes: 5 } } })
      await expectSound(credits, userId)
    })

    it('that turns out to be free is released; one that is free from the start is refused', async () => {
      const { credits, userId } = await priced()
      const given = { userId, operation: 'transcribe', params: { minutes: 5 } }
      const none = await credits.withHold(given, (held) => held.setParams({ minutes: 0 }))
      expect(none).toMatchObject({ transaction: null, uncovered: 0 })
      const free = credits.withHold({ userId, operation: 'free' }, () => null)
      await expect(free).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      await expect(free).rejects.toThrow('Operation "free" costs 0 credits here: there is nothing to hold')
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
    })

    it('with impossible params is refused, at the beginning and at the end, and not charged', async () => {
      const { credits, userId } = await priced()
      const wrong = [{ minutes: -1 }, { minutes: 'long' }, {}]
      for (const params of wrong) {
        const before = credits.withHold({ userId, operation: 'transcribe', params }, () => null)
        await expect(before).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: 'params.minutes' }] })
        const given = { userId, operation: 'transcribe', params: { minutes: 5 } }
        const after = credits.withHold(given, (held) => held.setParams(params))
        await expect(after).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: 'params.minutes' }] })
      }
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
    })
  })
})
