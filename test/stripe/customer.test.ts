import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/errors.js'
import { openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())
const open = async (...options: Parameters<typeof openTill>) => (till = await openTill(...options))

const codeOf = (error: unknown) => (isCreditError(error) ? error.code : error)
const user = (userId: string, replaces: string | null = null) => ({ userId, replaces })

describe('createCustomer', () => {
  it('makes a customer that names our user, and the same one however often it is asked', async () => {
    const { fake, payments } = await open()
    const first = await payments.createCustomer(user('user_1'))
    expect(await fake.stripe.customers.retrieve(first.customerId)).toMatchObject({
      email: null,
      metadata: { app: 'creditkit', user_id: 'user_1' },
    })
    expect(await payments.createCustomer(user('user_1'))).toEqual(first)
    expect(await payments.createCustomer(user('user_2'))).not.toEqual(first)
  })

  it('makes one for ten calls at once, also while Stripe is slow', async () => {
    const { fake, payments } = await open()
    const before = (await fake.stripe.customers.list()).data.length
    fake.failNext({ path: '/v1/customers', delayMs: 300 })
    const calls = Array.from({ length: 10 }, () => payments.createCustomer(user('user_1')))
    expect(new Set((await Promise.all(calls)).map(({ customerId }) => customerId)).size).toBe(1)
    expect((await fake.stripe.customers.list()).data).toHaveLength(before + 1)
  })

  it('makes one when the first answer gets lost', async () => {
    const { fake, payments } = await open()
    const before = (await fake.stripe.customers.list()).data.length
    // The SDK tries a cut connection once more by itself.
    fake.failNext({ afterEffect: true, reset: true, times: 2 })
    expect(await payments.createCustomer(user('user_1')).catch(codeOf)).toBe('UNAVAILABLE')
    await payments.createCustomer(user('user_1'))
    expect((await fake.stripe.customers.list()).data).toHaveLength(before + 1)
  })

  it('replaces a customer that is gone, with the same one for each who asks', async () => {
    const { fake, payments } = await open()
    const { customerId: gone } = await payments.createCustomer(user('user_1'))
    await fake.stripe.customers.del(gone)
    const again = await Promise.all([1, 2, 3].map(() => payments.createCustomer(user('user_1', gone))))
    expect(new Set(again.map(({ customerId }) => customerId)).size).toBe(1)
    expect(again[0]?.customerId).not.toBe(gone)
  })

  it('takes the customer that the host links, and makes a new one when that is the one that is gone', async () => {
    const { fake, payments, customerId } = await open({
      customer: async () => ({ id: till?.customerId, email: 'a@b.example' }),
    })
    const calls = fake.calls.length
    expect(await payments.createCustomer(user('user_1'))).toEqual({ customerId })
    expect(await payments.createCustomer(user('user_1', 'cus_other'))).toEqual({ customerId })
    expect(fake.calls).toHaveLength(calls)
    const next = await payments.createCustomer(user('user_1', customerId))
    expect(await fake.stripe.customers.retrieve(next.customerId)).toMatchObject({ email: 'a@b.example' })
  })

  it("fills in the user's address, which may change between two attempts", async () => {
    let email = 'old@example.com'
    const { fake, payments } = await open({ customer: async () => ({ email }) })
    const first = await payments.createCustomer(user('user_1'))
    expect(await payments.createCustomer(user('user_1'))).toEqual(first)
    email = 'new@example.com'
    const { customerId } = await payments.createCustomer(user('user_1'))
    expect(await fake.stripe.customers.retrieve(customerId)).toMatchObject({ email })
  })

  it('keeps two installations in one Stripe account apart', async () => {
    const { fake, payments } = await open({ app: 'staging' })
    const { customerId } = await payments.createCustomer(user('user_1'))
    expect(await fake.stripe.customers.retrieve(customerId)).toMatchObject({ metadata: { app: 'staging' } })
  })

  it('refuses a key whose mode is not the configured one', async () => {
    const { payments } = await open({ livemode: true })
    expect(await payments.createCustomer(user('user_1')).catch(codeOf)).toBe('PAYMENTS_NOT_CONFIGURED')
  })
})

describe('createPortalSession', () => {
  it('leads to the page of the customer, and back to the app', async () => {
    const { fake, payments, customerId } = await open()
    const answer = await payments.createPortalSession({ customerId, returnUrl: null })
    expect(answer).toMatchObject({ url: expect.stringMatching(/^http/) as unknown })
    expect(fake.calls.at(-1)?.params).toEqual({ customer: customerId, return_url: 'https://app.example/' })
    await payments.createPortalSession({ customerId, returnUrl: '/account' })
    expect(fake.calls.at(-1)?.params).toMatchObject({ return_url: 'https://app.example/account' })
  })

  it('leads back to the configured page, and nowhere else than to allowed origins', async () => {
    const { fake, payments, customerId } = await open({ portalReturnUrl: 'billing', account: 'acct_1' })
    await payments.createPortalSession({ customerId, returnUrl: null })
    expect(fake.calls.at(-1)).toMatchObject({
      params: { return_url: 'https://app.example/billing' },
      stripeAccount: 'acct_1',
    })
    const calls = fake.calls.length
    const evil = payments.createPortalSession({ customerId, returnUrl: 'https://evil.example/' })
    expect(await evil.catch(codeOf)).toBe('INVALID_INPUT')
    expect(fake.calls).toHaveLength(calls)
  })

  it('says when the customer is gone', async () => {
    const { fake, payments, customerId } = await open()
    await fake.stripe.customers.del(customerId)
    for (const id of [customerId, 'cus_unknown']) {
      expect(await payments.createPortalSession({ customerId: id, returnUrl: null })).toBe('customer_gone')
    }
  })
})
