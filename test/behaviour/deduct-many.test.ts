import { describe, expect, it } from 'vitest'
import { IdempotencyConflictError, InsufficientCreditsError, LimitExceededError } from '../../src/index.js'
import { expectSound, outcomes, times } from '../conformance/credit-store/bench.js'
import { ledgerOf, onEveryStore, type OpenStage } from './stage.js'

/** Two users with 100 credits each of two types. */
async function team(open: OpenStage) {
  const stage = open()
  const { credits, userId: ann, newUser } = stage
  const bob = newUser()
  for (const userId of [ann, bob]) {
    for (const creditType of ['calling', 'scraping'] as const) {
      await credits.addCredits({ userId, amount: 100, creditType, description: 'Welcome' })
    }
  }
  const item = { creditType: 'calling', description: 'Step' } as const
  const balances = async () =>
    Promise.all([ann, bob].map(async (userId) => (await credits.getAllBalances(userId)).calling.balance))
  const sound = async () => {
    for (const userId of [ann, bob]) await expectSound(credits, userId)
  }
  return { ...stage, ann, bob, item, balances, sound }
}

onEveryStore('deductMany', (open) => {
  describe('several deductions at once', () => {
    it('are written together, over users and types, and returned in the order they were asked for', async () => {
      const { credits, ann, bob, item, balances, sound } = await team(open)
      const used = await credits.deductMany([
        {
          ...item,
          userId: ann,
          amount: 10,
          referenceId: 'r1',
          referenceType: 'lead',
          metadata: { a: 1 },
          actor: 'job',
        },
        { ...item, userId: bob, amount: 20, description: 'Other step' },
        { ...item, userId: ann, amount: 30, creditType: 'scraping' },
        { ...item, userId: ann, amount: 5 },
      ])
      expect(used).toMatchObject([
        { userId: ann, creditType: 'calling', amount: -10, balanceAfter: 90, seq: 2, actor: 'job' },
        { userId: bob, creditType: 'calling', amount: -20, balanceAfter: 80, description: 'Other step' },
        { userId: ann, creditType: 'scraping', amount: -30, balanceAfter: 70 },
        { userId: ann, creditType: 'calling', amount: -5, balanceAfter: 85, seq: 3 },
      ])
      expect(used[0]).toMatchObject({ referenceId: 'r1', referenceType: 'lead', metadata: { a: 1 }, replayed: false })
      expect(await credits.getTransactionHistory(ann, 'calling')).toEqual([used[3], used[0], expect.anything()])
      expect(await balances()).toEqual([85, 80])
      await sound()
    })

    it('draw on the grants of an account one after the other', async () => {
      const { credits, ann, item, sound } = await team(open)
      const first = await credits.addCredits({ ...item, userId: ann, amount: 15, priority: -1 })
      const [a, b] = await credits.deductMany([
        { ...item, userId: ann, amount: 10 },
        { ...item, userId: ann, amount: 10 },
      ])
      expect(a?.allocations).toEqual([{ grantId: first.id, amount: 10 }])
      expect(b?.allocations).toMatchObject([{ grantId: first.id, amount: 5 }, { amount: 5 }])
      await sound()
    })

    it('are all or nothing: one that is not covered undoes the others, on all accounts', async () => {
      const { credits, ann, bob, item, balances, sound } = await team(open)
      const refused = credits.deductMany([
        { ...item, userId: ann, amount: 10 },
        { ...item, userId: bob, amount: 101 },
        { ...item, userId: ann, amount: 10 },
      ])
      await expect(refused).rejects.toBeInstanceOf(InsufficientCreditsError)
      await expect(refused).rejects.toMatchObject({ required: 101, available: 100, shortfall: 1 })
      expect(await balances()).toEqual([100, 100])
      expect(await ledgerOf(credits, ann)).toEqual(['adjustment 100'])
      await sound()
    })

    it('of one account are covered in sum, or refused', async () => {
      const { credits, ann, item, balances } = await team(open)
      const items = times(3, () => ({ ...item, userId: ann, amount: 40 }))
      await expect(credits.deductMany(items)).rejects.toMatchObject({ required: 40, available: 20 })
      await credits.deductMany(items.slice(0, 2))
      expect(await balances()).toEqual([20, 100])
    })

    it('leave no account of somebody unknown when they are refused', async () => {
      const { credits, ann, item, newUser } = await team(open)
      const nobody = newUser()
      const refused = credits.deductMany([
        { ...item, userId: ann, amount: 1 },
        { ...item, userId: nobody, amount: 1 },
      ])
      await expect(refused).rejects.toMatchObject({ required: 1, available: 0 })
      expect(await credits.verify({ userId: nobody })).toEqual({ accounts: 0, violations: [] })
    })

    it('count for limits one by one, and none is written where one goes above', async () => {
      const { service, ann, item, balances, credits } = await team(open)
      const limits: { calling: { max: number; per: 'hour' }[] } = { calling: [{ max: 3, per: 'hour' }] }
      const limited = service<'calling' | 'scraping'>({ creditTypes: ['calling', 'scraping'], limits })
      const items = (count: number) => times(count, () => ({ ...item, userId: ann, amount: 1 }))
      const refused = limited.deductMany(items(4))
      await expect(refused).rejects.toBeInstanceOf(LimitExceededError)
      await expect(refused).rejects.toMatchObject({ creditType: 'calling', limit: { max: 3, per: 'hour' }, used: 3 })
      expect(await balances()).toEqual([100, 100])
      await limited.deductMany(items(2))
      await expect(limited.deductMany(items(2))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
      await limited.deductMany(items(1))
      expect(await ledgerOf(credits, ann)).toEqual(['adjustment 100', 'usage -1', 'usage -1', 'usage -1'])
    })

    it('in opposite orders at once never deadlock, and never overspend', async () => {
      const { credits, ann, bob, item, balances, sound } = await team(open)
      const calls = times(20, (index) => {
        const pair = [ann, bob].map((userId) => ({ ...item, userId, amount: 10 }))
        return credits.deductMany(index % 2 === 0 ? pair : pair.reverse())
      })
      const { succeeded, codes } = await outcomes(calls)
      expect(succeeded).toHaveLength(10)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 10 })
      expect(await balances()).toEqual([0, 0])
      await sound()
    })

    it('are 1 to 1,000, each possible by itself, or nothing is asked', async () => {
      const { credits, ann, item, balances } = await team(open)
      const one = { ...item, userId: ann, amount: 1 }
      await expect(credits.deductMany([])).rejects.toMatchObject({ code: 'INVALID_INPUT' })
      await expect(credits.deductMany(times(1001, () => one))).rejects.toMatchObject({ code: 'INVALID_INPUT' })
      for (const amount of [0, -1, 0.5]) {
        const refused = credits.deductMany([one, { ...one, amount }])
        await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: '1.amount' }] })
      }
      const reserved = credits.deductMany([{ ...one, idempotencyKey: 'creditkit:mine' }])
      await expect(reserved).rejects.toMatchObject({ issues: [{ path: '0.idempotencyKey' }] })
      expect(await balances()).toEqual([100, 100])
    })
  })

  describe('several deductions with keys', () => {
    it('repeated return the first ones, and have no second effect, also when the balance is gone', async () => {
      const { credits, ann, bob, item, balances, sound } = await team(open)
      const items = [
        { ...item, userId: ann, amount: 100, idempotencyKey: 'a' },
        { ...item, userId: bob, amount: 20, idempotencyKey: 'b' },
      ]
      const first = await credits.deductMany(items)
      expect(await credits.deductMany(items)).toEqual(first.map((row) => ({ ...row, replayed: true })))
      expect(await balances()).toEqual([0, 80])
      await sound()
    })

    it('mixed with new ones: what happened before counts as done, and only the others are written', async () => {
      const { credits, ann, bob, item, balances, sound } = await team(open)
      const done = await credits.deductCredits({ ...item, userId: ann, amount: 60, idempotencyKey: 'a' })
      const used = await credits.deductMany([
        { ...item, userId: bob, amount: 5 },
        { ...item, userId: ann, amount: 60, idempotencyKey: 'a' },
        { ...item, userId: ann, amount: 40, idempotencyKey: 'c' },
      ])
      expect(used.map(({ replayed }) => replayed)).toEqual([false, true, false])
      expect(used[1]).toEqual({ ...done, replayed: true })
      expect(await balances()).toEqual([0, 95])
      const single = await credits.deductCredits({ ...item, userId: ann, amount: 40, idempotencyKey: 'c' })
      expect(single).toEqual({ ...used[2], replayed: true })
      await sound()
    })

    it('refused burn none of their keys', async () => {
      const { credits, ann, item, balances } = await team(open)
      const items = [60, 60].map((amount, index) => ({ ...item, userId: ann, amount, idempotencyKey: `k${index}` }))
      await expect(credits.deductMany(items)).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS' })
      await credits.addCredits({ ...item, userId: ann, amount: 20 })
      expect((await credits.deductMany(items)).map(({ replayed }) => replayed)).toEqual([false, false])
      expect(await balances()).toEqual([0, 100])
    })

    it('one of which was used for something else is a conflict that names item and field; nothing is written', async () => {
      const { credits, ann, bob, item, balances } = await team(open)
      await credits.deductCredits({ ...item, userId: ann, amount: 1, idempotencyKey: 'a' })
      const conflict = credits.deductMany([
        { ...item, userId: bob, amount: 5, idempotencyKey: 'b' },
        { ...item, userId: ann, amount: 2, idempotencyKey: 'a' },
      ])
      await expect(conflict).rejects.toBeInstanceOf(IdempotencyConflictError)
      await expect(conflict).rejects.toMatchObject({ field: 'items.1.amount' })
      await expect(conflict).rejects.toThrow('Idempotency key was already used with a different items.1.amount')
      expect(await balances()).toEqual([99, 100])
    })

    it('belong to their users: one key for two users is two intents, for one user it is refused', async () => {
      const { credits, ann, bob, item, balances } = await team(open)
      const keyed = { ...item, amount: 1, idempotencyKey: 'k' }
      await credits.deductMany([
        { ...keyed, userId: ann },
        { ...keyed, userId: bob },
      ])
      expect(await balances()).toEqual([99, 99])
      const twice = credits.deductMany([
        { ...keyed, userId: ann, idempotencyKey: 'new' },
        { ...keyed, userId: bob },
        { ...keyed, userId: ann, idempotencyKey: 'new', creditType: 'scraping' },
      ])
      await expect(twice).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: '2.idempotencyKey' }] })
      expect(await balances()).toEqual([99, 99])
    })

    it('twenty at once with the same keys: written once, and all get them', async () => {
      const { credits, ann, bob, item, balances, sound } = await team(open)
      const items = [ann, bob].map((userId) => ({ ...item, userId, amount: 30, idempotencyKey: 'job' }))
      const calls = times(20, (index) => credits.deductMany(index % 2 === 0 ? items : [...items].reverse()))
      const { succeeded, codes } = await outcomes(calls)
      expect(codes).toEqual({})
      const ids = succeeded.map((rows) => rows.map(({ id }) => id).sort())
      for (const pair of ids) expect(pair).toEqual(ids[0])
      expect(await balances()).toEqual([70, 70])
      await sound()
    })
  })
})
