import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { QuarantineEntry } from '../../../src/ledger/purchase.js'
import { type Bench, change, changesOf, newCommand, NOTHING, outcomes, run, times } from './bench.js'
import { purchaseOf, quarantineOf, writePurchases, writeQuarantine } from './records.js'

export function testQuarantine(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')

  const write = (...entries: QuarantineEntry[]) => writeQuarantine(bench.store, ...entries)

  /** Every entry from `after` on, page by page. */
  async function listFrom(after: string | null, open: boolean, limit: number): Promise<QuarantineEntry[]> {
    const found: QuarantineEntry[] = []
    for (let last = after; ;) {
      const page = await bench.store.listQuarantine({ open, limit, after: last })
      expect(page.length).toBeLessThanOrEqual(limit)
      for (const { id } of page) expect(id > (last ?? '')).toBe(true)
      found.push(...page)
      last = page.at(-1)?.id ?? last
      if (page.length < limit) return found
    }
  }

  const resolved = (entry: QuarantineEntry, resolvedBy: string): QuarantineEntry => {
    const resolvedAt = new Date(at.getTime() + 1000)
    return { ...entry, resolvedAt, resolvedBy, resolution: resolvedBy === 'bob' ? 'dismissed' : 'granted' }
  }

  describe('quarantine', () => {
    it('keeps an entry with every field, whoever it is about, by a decision that says nothing else', async () => {
      const entries = [
        quarantineOf(),
        quarantineOf({ invoiceId: `in_${uuidv4()}`, details: {} }),
        quarantineOf({ userId: await bench.newUser(), purchaseId: uuidv7(), reason: `Größe "S" 😀 '; --` }),
        quarantineOf({ userId: 'no id of any user' }),
        resolved(quarantineOf(), 'ann'),
      ]
      for (const entry of entries) {
        expect(await bench.store.findQuarantine(entry.id)).toBeNull()
        expect(await write(entry)).toMatchObject({ status: 'applied', accounts: [] })
        expect(await bench.store.findQuarantine(entry.id)).toEqual(entry)
      }
    })

    it('is written all or nothing with its decision', async () => {
      const key = { userId: await bench.newUser(), creditType: 'calling' }
      const [entry, purchase] = [quarantineOf({ userId: key.userId }), purchaseOf(key.userId)]
      await writePurchases(bench.store, [purchase])
      await change(bench.store, key, at, () => undefined)
      const command = newCommand([key], { purchases: [purchase] })
      await run(bench.store, command, () => {
        throw new RangeError('refused')
      }).catch(() => undefined)
      expect(await bench.store.findQuarantine(entry.id)).toBeNull()
      await run(bench.store, command, ({ accounts: [state] }) => {
        if (state === undefined) throw new Error('the account was not loaded')
        const accounts = [changesOf({ ...state.account, version: state.account.version + 1 })]
        return { ...NOTHING, accounts, purchases: [{ ...purchase, status: 'quarantined' }], quarantine: [entry] }
      })
      expect(await bench.store.findQuarantine(entry.id)).toEqual(entry)
      expect(await bench.store.findPurchase({ id: purchase.id })).toMatchObject({ status: 'quarantined' })
    })

    it('is resolved by its id: nothing else of a known entry changes', async () => {
      const entry = quarantineOf({ userId: await bench.newUser(), invoiceId: 'in_1' })
      await write(entry)
      const other = quarantineOf({ id: entry.id, reason: 'other', details: { other: true }, createdAt: new Date(0) })
      await write(other)
      expect(await bench.store.findQuarantine(entry.id)).toEqual(entry)
      await write(resolved(other, 'ann'))
      expect(await bench.store.findQuarantine(entry.id)).toEqual(resolved(entry, 'ann'))
    })

    it('is resolved once: the first resolution stays, but what was granted is granted', async () => {
      const entry = quarantineOf()
      await write(entry)
      await write(resolved(entry, 'bob'))
      expect(await bench.store.findQuarantine(entry.id)).toEqual(resolved(entry, 'bob'))
      await write(resolved(entry, 'ann'))
      await write(resolved(entry, 'bob'))
      await write(entry)
      expect(await bench.store.findQuarantine(entry.id)).toEqual(resolved(entry, 'ann'))
    })

    it('resolved by ten at once is resolved by one of them, whole', async () => {
      const entry = quarantineOf()
      await write(entry)
      const { codes } = await outcomes(times(10, (index) => write(resolved(entry, index % 2 === 0 ? 'ann' : 'bob'))))
      expect(codes).toEqual({})
      const found = await bench.store.findQuarantine(entry.id)
      expect([resolved(entry, 'ann'), resolved(entry, 'bob')]).toContainEqual(found)
    })

    it('noted by ten at once is one entry', async () => {
      const entry = quarantineOf()
      const { codes } = await outcomes(times(10, () => write(entry)))
      expect(codes).toEqual({})
      expect(await listFrom(entry.id, false, 100)).not.toContainEqual(entry)
      expect(await bench.store.findQuarantine(entry.id)).toEqual(entry)
    })

    it('is listed in order of id, page by page: all entries, or those that nobody has resolved', async () => {
      const start = uuidv7()
      const entries = times(7, () => quarantineOf())
      await write(...[...entries].reverse())
      const done = entries.filter((_, index) => index % 3 === 0)
      await write(...done.map((entry) => resolved(entry, 'ann')))
      const now = entries.map((entry) => (done.includes(entry) ? resolved(entry, 'ann') : entry))
      for (const limit of [1, 3, 100]) {
        expect(await listFrom(start, false, limit)).toEqual(now)
        expect(await listFrom(start, true, limit)).toEqual(now.filter(({ resolvedAt }) => resolvedAt === null))
      }
      const [first] = await bench.store.listQuarantine({ open: false, limit: 1, after: null })
      expect(first === undefined || first.id <= start).toBe(true)
    })
  })
}
