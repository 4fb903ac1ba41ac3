import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { AccountKey } from '../../../src/ledger/account.js'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { Posting } from '../../../src/ledger/posting.js'
import type { CommandRequest } from '../../../src/ledger/request.js'
import type { Transaction } from '../../../src/ledger/transaction.js'
import type { Command, CommandItem, Decide } from '../../../src/ports/store.js'
import { addition, type Bench, change, details, expectSound, newCommand, outcomes, run, times } from './bench.js'

/** One deduction of a command. */
interface Part {
  account: AccountKey
  amount: number
  key?: string
}

export function testItems(bench: Bench): void {
  /** An account with this many credits. */
  async function accountWith(credits: number, userId?: string, creditType = 'calling'): Promise<AccountKey> {
    const key = { userId: userId ?? (await bench.newUser()), creditType }
    await change(bench.store, key, null, (posting) => addCredits(posting, addition(credits)))
    return key
  }

  const request = ({ account, amount }: Part): CommandRequest => [
    ['operation', 'deduct'],
    ['creditType', account.creditType],
    ['amount', -amount],
  ]

  /** A command of several deductions, each with an id of its own. */
  function commandOf(parts: readonly Part[]): Command {
    const accounts = parts.map(({ account }) => account)
    const distinct = accounts.filter((account, index) => accounts.indexOf(account) === index)
    const items = parts.map((part): CommandItem => {
      return { id: uuidv7(), userId: part.account.userId, key: part.key ?? null, request: request(part) }
    })
    return newCommand(distinct, { items, load: { grants: 'open' } })
  }

  /** Write the items that had not happened; the result is every item's row, and whether it is new. */
  function deducting(command: Command, parts: readonly Part[]): Decide<{ row: Transaction; isNew: boolean }[]> {
    return (state, now) => {
      const postings = state.accounts.map((account) => new Posting(account, now, uuidv7))
      const result = parts.map(({ account, amount }, index) => {
        const done = state.items[index]
        if (done !== null && done !== undefined) return { row: done, isNew: false }
        const posting = postings[command.accounts.indexOf(account)]
        const item = command.items?.[index]
        if (posting === undefined || item === undefined) throw new Error('deducting: an item or account was not loaded')
        const own = details({ id: item.id, idempotencyKey: item.key })
        return { row: deductCredits(posting, { ...own, amount }), isNew: true }
      })
      const items = result.flatMap(({ row, isNew }) => (isNew ? [row] : []))
      const touched = postings.filter(({ key }) => items.some((row) => isOf(row, key)))
      return { result, main: null, items, accounts: touched.map((posting) => posting.finish()) }
    }
  }

  async function deduct(parts: readonly Part[], command = commandOf(parts)) {
    const outcome = await run(bench.store, command, deducting(command, parts))
    if (outcome.status === 'replayed') throw new Error('a command of items alone is never replayed as a whole')
    return outcome.status === 'conflict' ? outcome : outcome.result
  }

  const available = async (key: AccountKey) => (await bench.store.readBalance(key, null)).balance

  describe('the items of a command', () => {
    it('are each written under their own id and key, over several accounts and users', async () => {
      const [a, b] = [await accountWith(10), await accountWith(10)]
      const parts = [
        { account: a, amount: 3, key: 'one' },
        { account: b, amount: 4, key: 'two' },
        { account: a, amount: 2 },
      ]
      const command = commandOf(parts)
      expect(await deduct(parts, command)).toMatchObject([{ isNew: true }, { isNew: true }, { isNew: true }])
      for (const [index, { id, key }] of command.items?.entries() ?? []) {
        const { account, amount } = parts[index] ?? { account: a, amount: 0 }
        const written = { ...account, amount: -amount, idempotencyKey: key, transactionType: 'usage' }
        expect(await bench.store.findTransaction(id)).toMatchObject(written)
      }
      expect([await available(a), await available(b)]).toEqual([5, 6])
      for (const { userId } of [a, b]) await expectSound(bench.credits(), userId)
    })

    it('are written all or none', async () => {
      const [rich, poor] = [await accountWith(100), await accountWith(3)]
      const parts = [
        { account: rich, amount: 5, key: 'one' },
        { account: poor, amount: 4, key: 'two' },
      ]
      const command = commandOf(parts)
      await expect(deduct(parts, command)).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: 3 })
      expect([await available(rich), await available(poor)]).toEqual([100, 3])
      expect(await bench.store.findTransaction(command.items?.[0]?.id ?? '')).toBeNull()
      await accountWith(1, poor.userId)
      expect(await deduct(parts)).toMatchObject([{ isNew: true }, { isNew: true }])
    })

    it('that happened before are handed over as done, in their place, and only the others are written', async () => {
      const [a, b] = [await accountWith(10), await accountWith(10)]
      const [first, second, third] = [
        { account: a, amount: 1, key: 'one' },
        { account: b, amount: 2, key: 'two' },
        { account: a, amount: 3, key: 'three' },
      ]
      const before = await deduct([first, third])
      const after = await deduct([first, second, third])
      expect(after).toMatchObject([{ isNew: false }, { isNew: true, row: { amount: -2 } }, { isNew: false }])
      if ('status' in before || 'status' in after) throw new Error('a conflict')
      expect([after[0]?.row, after[2]?.row]).toEqual(before.map(({ row }) => row))
      expect(await deduct([third, first, second])).toMatchObject(times(3, () => ({ isNew: false })))
      expect([await available(a), await available(b)]).toEqual([6, 8])
    })

    it('are known from a command of their own, and the other way round', async () => {
      const account = await accountWith(10)
      const credits = bench.credits()
      const { userId } = account
      const base = { userId, creditType: 'calling', amount: 3, description: 'Job' } as const
      const single = await credits.deductCredits({ ...base, idempotencyKey: 'one' })
      const [again, second] = await credits.deductMany([
        { ...base, idempotencyKey: 'one' },
        { ...base, idempotencyKey: 'two' },
      ])
      expect(again).toEqual({ ...single, replayed: true })
      expect(second?.replayed).toBe(false)
      expect(await credits.deductCredits({ ...base, idempotencyKey: 'two' })).toEqual({ ...second, replayed: true })
      expect(await available(account)).toBe(4)
    })

    it('whose request differs are a conflict that names the item and the field; nothing is written', async () => {
      const [a, b] = [await accountWith(10), await accountWith(10)]
      await deduct([{ account: b, amount: 2, key: 'two' }])
      const changed = [
        { account: a, amount: 1, key: 'one' },
        { account: b, amount: 3, key: 'two' },
      ]
      expect(await deduct(changed)).toEqual({ status: 'conflict', field: 'items.1.amount' })
      const scraping = await accountWith(10, b.userId, 'scraping')
      const elsewhere = [{ account: scraping, amount: 2, key: 'two' }]
      expect(await deduct(elsewhere)).toEqual({ status: 'conflict', field: 'items.0.creditType' })
      expect([await available(a), await available(b), await available(scraping)]).toEqual([10, 8, 10])
    })

    it('whose key stood for a command without a row are a conflict', async () => {
      const account = await accountWith(10)
      const { userId } = account
      const base = { userId, creditType: 'calling', description: 'Job' } as const
      await bench.credits().holdCredits({ ...base, amount: 2, idempotencyKey: 'one' })
      const parts = [{ account, amount: 2, key: 'one' }]
      expect(await deduct(parts)).toEqual({ status: 'conflict', field: 'items.0.operation' })
      expect(await available(account)).toBe(8)
    })

    it('are their own retry by their ids: sent again, with or without keys, all of them are done', async () => {
      const [a, b] = [await accountWith(10), await accountWith(10)]
      const parts = [
        { account: a, amount: 3 },
        { account: b, amount: 4, key: 'two' },
      ]
      const command = commandOf(parts)
      const first = await deduct(parts, command)
      const again = await deduct(parts, command)
      if ('status' in first || 'status' in again) throw new Error('a conflict')
      expect(again).toEqual(first.map(({ row }) => ({ row, isNew: false })))
      expect([await available(a), await available(b)]).toEqual([7, 6])
    })

    it("have their own user's keys: another user's are not theirs", async () => {
      const [a, b] = [await accountWith(10), await accountWith(10)]
      await deduct([{ account: a, amount: 1, key: 'same' }])
      expect(await deduct([{ account: b, amount: 5, key: 'same' }])).toMatchObject([{ isNew: true }])
      expect([await available(a), await available(b)]).toEqual([9, 5])
    })

    it('are written once by many commands at once, whichever of them share a key, in whatever order', async () => {
      const accounts = await Promise.all(times(4, () => accountWith(100)))
      const parts = accounts.map((account, index) => ({ account, amount: 1 + index, key: 'shared' }))
      const commands = times(12, (index) => {
        const rotated = [...parts.slice(index % 4), ...parts.slice(0, index % 4)].slice(0, 1 + (index % 3))
        return deduct(index % 2 === 0 ? rotated : rotated.reverse())
      })
      const { succeeded, codes } = await outcomes(commands)
      expect(codes).toEqual({})
      const rows = succeeded.flatMap((result) => ('status' in result ? [] : result))
      for (const [index, account] of accounts.entries()) {
        const own = rows.filter(({ row }) => isOf(row, account))
        expect(own.filter(({ isNew }) => isNew)).toHaveLength(1)
        expect(new Set(own.map(({ row }) => row.id)).size).toBe(1)
        expect(await available(account)).toBe(99 - index)
        await expectSound(bench.credits(), account.userId)
      }
    })
  })
}

function isOf(row: AccountKey, { userId, creditType }: AccountKey): boolean {
  return row.userId === userId && row.creditType === creditType
}
