import { memoryStore } from '../../adapters/memory.js'
import { beforeEach, describe, expect, it } from 'vitest'
import { CreditService, UnavailableError } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'

/*
 * Found by the crash test: a write whose answer was lost is found again by its own retry, and then the database goes away,
 * before what was written is read. "Unavailable" would say that nothing happened.
 */

let isArmed: boolean
let isAway: boolean
let credits: CreditService

/** Once it is armed, it is away from its next write on: that has happened, and its answer was lost. */
function leavingStore(): CreditStore {
  const inner = memoryStore()
  const away = new Set(['findHold', 'findTransaction', 'findGrant'])
  return new Proxy(inner, {
    get: (store, name) => {
      if (name === 'spend') return undefined
      if (name === 'update')
        return async (...args: Parameters<CreditStore['update']>) => {
          const first = await store.update(...args)
          if (!isArmed) return first
          isAway = true
          return store.update(...args)
        }
      if (away.has(String(name)) && isAway)
        return () => Promise.reject(new UnavailableError('The database is not available'))
      const value: unknown = Reflect.get(store, name)
      return typeof value === 'function' ? (value.bind(store) as unknown) : value
    },
  })
}

beforeEach(() => {
  isArmed = false
  isAway = false
  credits = new CreditService({ store: leavingStore() })
})

const CALL = { creditType: 'calling', amount: 5, description: 'Call' } as const

interface Somebody {
  holdId: string
  grantId: string
}

const WRITES: [string, (who: Somebody, idempotencyKey: string) => Promise<unknown>][] = [
  ['a hold', (_who, idempotencyKey) => credits.holdCredits({ ...CALL, userId: 'ann', idempotencyKey })],
  ['a release', ({ holdId }, idempotencyKey) => credits.releaseHold({ holdId, idempotencyKey })],
  ['an extension', ({ holdId }, idempotencyKey) => credits.extendHold({ holdId, expiresInSeconds: 9, idempotencyKey })],
  [
    'a transfer',
    (_who, idempotencyKey) => credits.transferCredits({ ...CALL, fromUserId: 'ann', toUserId: 'bob', idempotencyKey }),
  ],
  ['a void grant', ({ grantId }, idempotencyKey) => credits.voidGrant({ grantId, reason: 'Mistake', idempotencyKey })],
]

describe.each(WRITES)('%s that was written and can not be read again', (_name, write) => {
  it('is of unknown outcome, and found by its key', async () => {
    const userId = 'ann'
    await credits.addCredits({ ...CALL, userId, amount: 100 })
    const { id: holdId } = await credits.holdCredits({ ...CALL, userId })
    const [grant] = await credits.getGrants(userId, 'calling')
    const who = { holdId, grantId: grant?.id ?? '' }
    isArmed = true
    await expect(write(who, 'key')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    isArmed = false
    isAway = false
    const before = await credits.getAllBalances(userId)
    await write(who, 'key')
    expect(await credits.getAllBalances(userId)).toEqual(before)
    expect((await credits.verify()).violations).toEqual([])
  })
})
