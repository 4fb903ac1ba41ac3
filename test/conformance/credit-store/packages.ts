import { v4 as uuidv4 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { PackageNotFoundError } from '../../../src/errors.js'
import { type Bench, SECOND, stoppedClock, times } from './bench.js'

export function testPackages(bench: Bench): void {
  const draft = (name: string) => ({ name, creditAmount: 1000, price: 999, creditType: 'calling' }) as const

  describe('packages', () => {
    it('are kept with exactly the fields they were made with', async () => {
      const clock = stoppedClock()
      const { marketplace } = bench.credits(clock)
      const made = await marketplace.createPackage({
        ...draft('Größe "S" 😀'),
        key: uuidv4(),
        description: `'; drop table credit_packages; --`,
        currency: 'EUR',
        sortOrder: -5,
        isActive: false,
        metadata: { badge: 'new', nested: [null, 1] },
      })
      expect(made).toEqual({
        id: made.id,
        key: made.key,
        name: 'Größe "S" 😀',
        description: `'; drop table credit_packages; --`,
        creditAmount: 1000,
        price: 999,
        currency: 'eur',
        creditType: 'calling',
        isActive: false,
        sortOrder: -5,
        metadata: { badge: 'new', nested: [null, 1] },
        stripePriceId: null,
        createdAt: clock.now(),
        updatedAt: clock.now(),
      })
      expect(Number.isInteger(made.id)).toBe(true)
      expect(await bench.store.findPackage(made.id)).toEqual(made)
      expect(await bench.store.findPackage(2_000_000_000)).toBeNull()
    })

    it('are listed by sort order, then id; inactive ones only where asked for', async () => {
      const { marketplace } = bench.credits()
      const tag = uuidv4()
      const ids = new Map<string, number>()
      for (const [name, sortOrder, isActive] of [
        ['third', 7, true],
        ['first', -7, true],
        ['hidden', 0, false],
        ['fourth', 7, true],
        ['second', 0, true],
      ] as const) {
        const { id } = await marketplace.createPackage({ ...draft(`${tag} ${name}`), sortOrder, isActive })
        ids.set(name, id)
      }
      const listed = async (includeInactive: boolean, creditType: 'calling' | 'scraping') =>
        (await marketplace.getPackages({ includeInactive, creditType }))
          .filter(({ name }) => name.startsWith(tag))
          .map(({ name }) => name.slice(tag.length + 1))
      expect(await listed(false, 'calling')).toEqual(['first', 'second', 'third', 'fourth'])
      // `hidden` and `second` have one sort order; the one made first comes first.
      expect(await listed(true, 'calling')).toEqual(['first', 'hidden', 'second', 'third', 'fourth'])
      expect(await listed(true, 'scraping')).toEqual([])
      expect((await marketplace.getProducts()).calling.map(({ id }) => id)).toEqual(
        expect.arrayContaining([ids.get('first'), ids.get('fourth')]),
      )
    })

    it('change in the given fields only', async () => {
      const clock = stoppedClock()
      const { marketplace } = bench.credits(clock)
      const made = await marketplace.createPackage({ ...draft('Before'), metadata: { a: 1 }, description: 'Text' })
      clock.advance(SECOND)
      const changed = await marketplace.updatePackage({ id: made.id, name: 'After', description: null, price: 1 })
      const expected = { ...made, name: 'After', description: null, price: 1, updatedAt: clock.now() }
      expect(changed).toEqual(expected)
      expect(await bench.store.findPackage(made.id)).toEqual(expected)
      expect(await marketplace.updatePackage({ id: made.id, isActive: false })).toEqual({
        ...expected,
        isActive: false,
      })
      const nothing = await marketplace.updatePackage({ id: made.id })
      expect(nothing).toEqual({ ...expected, isActive: false })
    })

    it('that do not exist cannot be changed', async () => {
      const { marketplace } = bench.credits()
      const missing = marketplace.updatePackage({ id: 2_000_000_000, name: 'Nobody' })
      await expect(missing).rejects.toBeInstanceOf(PackageNotFoundError)
      expect(await bench.store.changePackage(2_000_000_000, { name: 'Nobody' }, null)).toBeNull()
    })

    it('of one key are one package, which the last call describes', async () => {
      const clock = stoppedClock()
      const { marketplace } = bench.credits(clock)
      const key = uuidv4()
      const first = await marketplace.upsertPackage({ ...draft('First'), key, metadata: { a: 1 }, sortOrder: 3 })
      clock.advance(SECOND)
      const second = await marketplace.upsertPackage({ ...draft('Second'), key, price: 5 })
      expect(second).toEqual({
        ...first,
        name: 'Second',
        price: 5,
        metadata: null,
        sortOrder: 0,
        updatedAt: clock.now(),
      })
    })

    it('of one key stay one package when 20 make it at once', async () => {
      const { marketplace } = bench.credits()
      const key = uuidv4()
      const made = await Promise.all(
        times(20, (index) => marketplace.upsertPackage({ ...draft(`Name ${index}`), key, price: 1 + index })),
      )
      expect(new Set(made.map(({ id }) => id)).size).toBe(1)
      const found = (await marketplace.getPackages({ includeInactive: true })).filter((pack) => pack.key === key)
      expect(found).toHaveLength(1)
      expect(found[0]).toMatchObject({ name: `Name ${(found[0]?.price ?? 0) - 1}` })
    })

    it('without a key are as many as were made', async () => {
      const { marketplace } = bench.credits()
      const name = uuidv4()
      await Promise.all(times(3, () => marketplace.createPackage(draft(name))))
      const found = (await marketplace.getPackages()).filter((pack) => pack.name === name)
      expect(new Set(found.map(({ id }) => id)).size).toBe(3)
    })

    it('keep every change of two administrators who change different fields at once', async () => {
      const { marketplace } = bench.credits()
      const { id } = await marketplace.createPackage(draft('Before'))
      await Promise.all([
        marketplace.updatePackage({ id, name: 'After' }),
        marketplace.updatePackage({ id, price: 7 }),
        marketplace.updatePackage({ id, sortOrder: 70_000 }),
      ])
      expect(await bench.store.findPackage(id)).toMatchObject({ name: 'After', price: 7, sortOrder: 70_000 })
    })
  })
}
