import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stripePayments } from '../../adapters/stripe/index.js'
import { fakeStripe, type FakeStripe } from '../../adapters/testing/index.js'
import { CreditService, type CreditStore } from '../../src/index.js'
import { commandLine, json, lastingStore } from './command-line.js'

/* Payments whose webhooks never came: nothing is registered at the local Stripe. */

let stripe: FakeStripe
let store: CreditStore
beforeEach(async () => {
  stripe = await fakeStripe()
  store = lastingStore()
})
afterEach(() => stripe.close())

const service = () =>
  new CreditService({
    ...{ creditTypes: ['calls'], store },
    payments: stripePayments({
      ...{ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: 'https://app.example' },
    }),
  })

/** A checkout of 1,500 credits that nobody has paid yet. */
async function checkout(userId: string): Promise<string> {
  const credits = service()
  const { id } = await credits.marketplace.upsertPackage({ key: 'pack', name: 'Pack', creditAmount: 1500, price: 999 })
  const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId: id })
  await credits.close()
  return sessionId
}

const balanceOf = (userId: string) => service().getBalance(userId, 'calls')

describe('fulfill', () => {
  it('grants a paid checkout once, says so, and asks before', async () => {
    const { creditkit, typing } = commandLine(service)
    const sessionId = await checkout('ada')
    await stripe.complete(sessionId)
    expect(await creditkit('fulfill', sessionId)).toMatchObject({ code: 2, stdout: '' })
    expect(await typing(['n'], 'fulfill', sessionId)).toMatchObject({ code: 1, stdout: '' })
    expect(await balanceOf('ada')).toBe(0)
    for (let time = 0; time < 2; time += 1)
      expect(await creditkit('fulfill', sessionId, '--yes')).toMatchObject({
        ...{ code: 0, stdout: 'ada has the 1,500 calls credits.\n' },
      })
    expect(await balanceOf('ada')).toBe(1500)
    expect(json(await creditkit('fulfill', sessionId, '--yes', '--json'))).toMatchObject({
      ...{ success: true, status: 'fulfilled', metadata: { userId: 'ada', creditAmount: '1500' } },
    })
  })

  it('grants nothing for what nobody paid, nor for a session that is none', async () => {
    const { creditkit } = commandLine(service)
    const sessionId = await checkout('bob')
    const unpaid = await creditkit('fulfill', sessionId, '--yes')
    expect([unpaid.code, unpaid.stdout]).toEqual([1, ''])
    expect(unpaid.stderr).toContain('creditkit: CHECKOUT_NOT_PAID: ')
    const none = await creditkit('fulfill', 'cs_test_none', '--yes')
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('creditkit: CHECKOUT_NOT_FOUND: ')
    const unable = commandLine(() => new CreditService({ store: lastingStore() }))
    expect((await unable.creditkit('fulfill', sessionId, '--yes')).stderr).toContain('PAYMENTS_NOT_CONFIGURED')
    expect(await balanceOf('bob')).toBe(0)
  })
})

describe('reconcile', () => {
  it('lists who paid and got nothing, and repairs it only when told to', async () => {
    const { creditkit, typing } = commandLine(service)
    expect(await creditkit('reconcile')).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining('Stripe and the ledger agree.\n') as string },
    })
    const sessionId = await checkout('eve')
    await stripe.complete(sessionId)

    const found = await creditkit('reconcile')
    expect(found.code).toBe(1)
    expect(found.stdout).toMatch(/kind +reference +user +credits +repaired\n/)
    expect(found.stdout).toMatch(
      new RegExp(`${sessionId} +eve +1,500 +no\\n1 thing wrong\\. Next: npx creditkit reconcile --repair\\n`),
    )
    expect(json(await creditkit('reconcile', '--json'))).toMatchObject({
      ...{ isClean: false, findings: [{ userId: 'eve', credits: 1500, repaired: false }] },
    })
    expect(await creditkit('reconcile', '--repair')).toMatchObject({ code: 2 })
    expect(await typing([''], 'reconcile', '--repair')).toMatchObject({ code: 1 })
    expect(await balanceOf('eve')).toBe(0)

    const repaired = await creditkit('reconcile', '--repair', '--yes')
    expect(repaired).toMatchObject({ code: 0 })
    expect(repaired.stdout).toContain('1 thing put right: Stripe and the ledger agree now.')
    expect(await balanceOf('eve')).toBe(1500)
    expect(await creditkit('reconcile')).toMatchObject({ code: 0 })
  })

  it('looks at the time it is told, and at no other', async () => {
    const { creditkit } = commandLine(service)
    await stripe.complete(await checkout('ada'))
    expect(await creditkit('reconcile', '--from', '2020-01-01', '--to', '2020-01-02')).toMatchObject({ code: 0 })
    expect(await creditkit('reconcile', '--from', '2020-01-02', '--to', '2020-01-01')).toMatchObject({ code: 2 })
    expect(await creditkit('reconcile', '--from', 'yesterday')).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('2026-11-01') as string },
    })
  })
})
