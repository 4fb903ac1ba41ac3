import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, InvalidInputError } from '../../src/index.js'
import { testCreditStore } from '../conformance/index.js'

testCreditStore('memoryStore', async () => memoryStore())

describe('memoryStore', () => {
  it('refuses a database transaction by a named error, and writes nothing', async () => {
    const credits = new CreditService({ store: memoryStore() })
    const input = { userId: 'ann', amount: 5, creditType: 'calling', description: 'Welcome' } as const
    const refusal = credits.addCredits({ ...input, tx: {} })
    await expect(refusal).rejects.toBeInstanceOf(InvalidInputError)
    await expect(refusal).rejects.toThrow('memoryStore has no database transactions')
    expect(await credits.verify()).toEqual({ accounts: 0, violations: [] })
  })

  it('is one store per call', async () => {
    const [first, second] = [new CreditService({ store: memoryStore() }), new CreditService({ store: memoryStore() })]
    await first.addCredits('ann', 5, 'calling', 'Welcome')
    expect(await second.getBalance('ann', 'calling')).toBe(0)
  })
})
