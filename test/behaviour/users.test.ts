import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/index.js'
import { times } from '../conformance/credit-store/bench.js'
import { MINUTE, onEveryStore, type Stage } from './stage.js'

onEveryStore('finding users', (open) => {
  /** Gives each of these a credit, under a beginning of their own. */
  async function owners({ credits }: Stage, ...names: string[]) {
    const start = randomUUID()
    for (const name of names) await credits.addCredits(`${start}${name}`, 1, 'calling', 'Welcome')
    return {
      start,
      find: async (search: string, page: { limit?: number; cursor?: string | null } = {}) => {
        const { users, nextCursor } = await credits.findUsers({ search: `${start}${search}`, ...page })
        return { names: users.map(({ userId }) => userId.slice(start.length)), nextCursor }
      },
    }
  }

  const namesOf = async (found: Promise<{ names: string[] }>): Promise<string[]> => (await found).names

  describe('a search', () => {
    it('finds the users whose id begins so, in order of id', async () => {
      const { find } = await owners(open(), 'bob', 'anna', 'ann', 'Ann', 'an', 'joann')
      expect(await namesOf(find('ann'))).toEqual(['ann', 'anna'])
      expect(await namesOf(find('Ann'))).toEqual(['Ann'])
      expect(await namesOf(find('anne'))).toEqual([])
      expect(await namesOf(find(''))).toEqual(['Ann', 'an', 'ann', 'anna', 'bob', 'joann'])
    })

    it('takes what elsewhere stands for other characters for itself', async () => {
      const { find } = await owners(open(), 'a%b', 'a_b', 'a\\b', 'axb', `a'b`)
      expect(await namesOf(find('a%'))).toEqual(['a%b'])
      expect(await namesOf(find('a_'))).toEqual(['a_b'])
      expect(await namesOf(find('a\\'))).toEqual(['a\\b'])
      expect(await namesOf(find(`a'`))).toEqual([`a'b`])
    })

    it('orders signs, capitals and other scripts by their code points, in whatever locale the database is', async () => {
      const inOrder = ['-b', '1', '10', '2', 'B', '_b', 'a', 'b', 'ä', 'я', '～', '😀', '😀a', '😁']
      const { find } = await owners(open(), ...[...inOrder].reverse())
      expect(await namesOf(find(''))).toEqual(inOrder)
      expect(await namesOf(find('😀'))).toEqual(['😀', '😀a'])
      expect(await namesOf(find('ä'))).toEqual(['ä'])
      let cursor: string | null = null
      const paged: string[] = []
      do {
        const page = await find('', { limit: 3, cursor })
        paged.push(...page.names)
        cursor = page.nextCursor
      } while (cursor !== null)
      expect(paged).toEqual(inOrder)
    })

    it('without anything to search for gives everybody, page by page', async () => {
      const stage = open()
      await owners(stage, 'a', 'b')
      const first = await stage.credits.findUsers({ limit: 1 })
      const second = await stage.credits.findUsers({ limit: 1, cursor: first.nextCursor })
      const both = await stage.credits.findUsers({ search: '', limit: 2 })
      expect([...first.users, ...second.users]).toEqual(both.users)
      expect(both.users).toHaveLength(2)
    })

    it('gives 20 by default, and a cursor only where there are more', async () => {
      const { find } = await owners(open(), ...times(21, (n) => String(n)))
      const page = await find('')
      expect(page.names).toHaveLength(20)
      expect(await find('', { cursor: page.nextCursor })).toEqual({ names: ['9'], nextCursor: null })
      expect(await find('', { limit: 21 })).toMatchObject({ nextCursor: null })
    })

    it('refuses pages of no length or too long, and texts that no id can begin with', async () => {
      const { credits } = open()
      const wrong = [{ limit: 0 }, { limit: 201 }, { search: 'a\0' }, { search: '\ud800' }, { search: 'a'.repeat(256) }]
      for (const input of [...wrong, { cursor: '' }, { cursor: 'a\0' }])
        await expect(credits.findUsers(input)).rejects.toBeInstanceOf(InvalidInputError)
    })
  })

  describe('what is told of a user', () => {
    it('is the credits available now, of every configured type', async () => {
      const { credits, userId, clock } = open()
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      await credits.addCredits(userId, 7, 'scraping', 'Welcome')
      await credits.holdCredits({
        userId,
        amount: 30,
        creditType: 'calling',
        description: 'Call',
        expiresInSeconds: 60,
      })
      const found = async () => (await credits.findUsers({ search: userId })).users
      expect(await found()).toEqual([{ userId, balances: { enrichment: 0, calling: 70, scraping: 7 } }])
      clock.advance(MINUTE)
      expect(await found()).toEqual([{ userId, balances: { enrichment: 0, calling: 100, scraping: 7 } }])
    })

    it('leaves out a credit type that is not configured any more', async () => {
      const { service, userId } = open()
      await service({ creditTypes: ['old', 'new'] }).addCredits(userId, 5, 'old', 'Welcome')
      const { users } = await service({ creditTypes: ['new'] }).findUsers({ search: userId })
      expect(users).toEqual([{ userId, balances: { new: 0 } }])
    })
  })
})
