import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import type { Grant } from '../../../src/ledger/grant.js'
import { holdCredits } from '../../../src/ledger/hold.js'
import { voidGrant } from '../../../src/ledger/void.js'
import { accountStateOf, addition, type Bench, change, details, DAY, later, named, stoppedClock } from './bench.js'

export function testFinding(bench: Bench): void {
  /** An account on a clock of its own. `add` takes a grant's description for its name. */
  async function open() {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' }]
    const names = new Map<string, string>()
    return {
      clock,
      key,
      add: async (name: string, amount: number, given = {}, creditType = 'calling'): Promise<string> => {
        const draft = addition(amount, { description: name, ...given })
        await change(bench.store, { ...key, creditType }, clock.now(), (posting) => addCredits(posting, draft))
        names.set(draft.grantId, name)
        return draft.grantId
      },
      use: (amount: number) =>
        change(bench.store, key, clock.now(), (posting) => deductCredits(posting, { ...details(), amount })),
      hold: (amount: number) =>
        change(bench.store, key, clock.now(), (posting) =>
          holdCredits(posting, { ...details(), amount, expiresInSeconds: 86_400 }),
        ),
      void: (id: string) => change(bench.store, key, clock.now(), (posting) => voidGrant(posting, id, details())),
      list: async (creditType: string | null = null) => {
        const grants = await bench.store.listGrants({ userId: key.userId, creditType }, clock.now())
        return grants.map(({ id, remaining }) => `${names.get(id) ?? '?'} ${remaining}`)
      },
    }
  }

  describe('finding a transaction', () => {
    it('gives every field it was written with, and null for what there is not', async () => {
      const { clock, key, add } = await open()
      const grantId = await add('A', 100)
      const written = details({
        description: `two\nlines, 'quoted' 😀`,
        referenceId: 'job-1',
        referenceType: 'job',
        metadata: { nested: [1, { a: null }] },
        actor: 'ann',
        idempotencyKey: 'k',
        request: { params: { minutes: 3 } },
      })
      const { transactions } = await change(bench.store, key, clock.now(), (posting) =>
        deductCredits(posting, { ...written, amount: 30 }),
      )
      expect(transactions).toMatchObject([{ id: written.id, amount: -30, allocations: [{ grantId, amount: 30 }] }])
      expect(await bench.store.findTransaction(written.id)).toEqual(transactions[0])
      expect(await bench.store.findTransaction(uuidv7())).toBeNull()
      expect(await bench.store.findTransaction(grantId)).toMatchObject({ amount: 100, allocations: [{ amount: 100 }] })
    })
  })

  describe('finding a grant', () => {
    it('gives every field it was written with, and null for what there is not', async () => {
      const { clock, key } = await open()
      const { newGrants } = await change(bench.store, key, clock.now(), (posting) =>
        addCredits(
          posting,
          addition(100, {
            source: 'subscription',
            priority: -3,
            effectiveAt: later(clock, -DAY),
            expiresAt: later(clock, DAY),
            paidAmount: 999,
            currency: 'eur',
            purchaseId: uuidv7(),
          }),
        ),
      )
      const [written] = newGrants
      expect(written).toMatchObject({
        amount: 100,
        remaining: 100,
        held: 0,
        open: true,
        scheduleId: null,
        noticedAt: null,
      })
      expect(await bench.store.findGrant(written?.id ?? '')).toEqual(written)
      expect(await bench.store.findGrant(uuidv7())).toBeNull()
    })

    it('tells what it truly has left, in use or not, held or not', async () => {
      const { add, use, hold, void: end } = await open()
      const [first, second] = [await add('A', 10), await add('B', 10)]
      await use(3)
      expect(await bench.store.findGrant(first)).toMatchObject({ remaining: 7, held: 0 })
      await hold(5)
      expect(await bench.store.findGrant(first)).toMatchObject({ remaining: 2, held: 5 })
      await use(4)
      expect(await bench.store.findGrant(first)).toMatchObject({ remaining: 0, held: 5, open: true })
      expect(await bench.store.findGrant(second)).toMatchObject({ remaining: 8, held: 0 })
      await end(second)
      expect(await bench.store.findGrant(second)).toMatchObject({ remaining: 0, writtenOff: 8, open: false })
      expect((await bench.store.findGrant(second))?.voidedAt).not.toBeNull()
    })

    it('finds several of one user, closed ones too, and leaves out the others', async () => {
      const [{ key, add, use }, other] = [await open(), await open()]
      const [closed, inUse, foreign] = [await add('A', 10), await add('B', 10), await other.add('C', 10)]
      await use(12)
      const found = await bench.store.findGrants(key.userId, [inUse, uuidv7(), foreign, closed])
      expect(found.map(({ id }) => id).sort()).toEqual([closed, inUse].sort())
      expect(named(found, closed)).toMatchObject({ remaining: 0, open: false })
      expect(named(found, inUse)).toMatchObject({ remaining: 8, open: true })
      expect(await bench.store.findGrants(key.userId, [])).toEqual([])
    })
  })

  describe('listing grants', () => {
    it('is in burn-down order, per credit type, with what is left of each', async () => {
      const { clock, add, use, list } = await open()
      await add('never ends', 10)
      await add('late', 10, { priority: 5 })
      await add('paid, ends', 10, { expiresAt: later(clock, 9 * DAY), source: 'purchase' })
      await add('gift, ends', 10, { expiresAt: later(clock, 9 * DAY), source: 'promotional' })
      await add('ends first', 10, { expiresAt: later(clock, DAY) })
      await add('page', 3, {}, 'scraping')
      await add('page first', 4, { priority: -1 }, 'scraping')
      await use(4)
      const calling = ['ends first 6', 'gift, ends 10', 'paid, ends 10', 'never ends 10', 'late 10']
      expect(await list('calling')).toEqual(calling)
      expect(await list('scraping')).toEqual(['page first 4', 'page 3'])
      expect(await list('enrichment')).toEqual([])
      const all = await list()
      expect(all.filter((name) => calling.includes(name))).toEqual(calling)
      expect(all.filter((name) => name.startsWith('page'))).toEqual(['page first 4', 'page 3'])
    })

    it('has scheduled ones, and those that are held to the last credit', async () => {
      const { clock, add, hold, list } = await open()
      await add('held', 10, { priority: -1 })
      await add('scheduled', 10, { effectiveAt: later(clock, DAY) })
      await hold(10)
      expect(await list()).toEqual(['held 0', 'scheduled 10'])
    })

    it('leaves out what was used up, was voided, or has ended, written or not', async () => {
      const { clock, add, use, hold, void: end, list } = await open()
      await add('used up', 10, { priority: -1 })
      await use(10)
      const voided = await add('voided', 10)
      await hold(4)
      await end(voided)
      await add('ends', 10, { expiresAt: later(clock, DAY) })
      await add('stays', 10)
      clock.advance(DAY - 1)
      expect(await list()).toEqual(['ends 10', 'stays 10'])
      clock.advance(1)
      expect(await list()).toEqual(['stays 10'])
    })

    it("judges by the store's own clock where none is given", async () => {
      const key = { userId: await bench.newUser(), creditType: 'calling' }
      const at = (days: number) => new Date(Date.now() + days * DAY)
      await change(bench.store, key, at(-9), (posting) => {
        addCredits(posting, addition(1, { expiresAt: at(-1) }))
        addCredits(posting, addition(2, { expiresAt: at(1) }))
      })
      expect(await bench.store.listGrants({ userId: key.userId, creditType: null }, null)).toMatchObject([
        { amount: 2 },
      ])
    })
  })

  describe('grants by id, for a command', () => {
    it('are loaded open or closed, from its own accounts', async () => {
      const [{ clock, key, add, use }, other] = [await open(), await open()]
      const [closed, last, foreign] = [
        await add('A', 10),
        await add('B', 10, { priority: 5 }),
        await other.add('C', 10),
      ]
      await add('head', 10)
      await use(12)
      const load = { grantIds: [closed, last, foreign, uuidv7()] }
      const { grants } = await accountStateOf(bench.store, key, { now: clock.now(), load })
      expect(named(grants, closed)).toMatchObject({ remaining: 0, open: false })
      expect(named(grants, last)).toMatchObject({ remaining: 10, open: true })
      expect(grants.map(({ id }: Grant) => id)).not.toContain(foreign)
    })
  })
}
