import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CustomerDesk, hiddenFields, openCustomerDesk, ORIGIN, words } from './customer-desk.js'

let desk: CustomerDesk

beforeAll(async () => {
  desk = await openCustomerDesk()
})

afterAll(() => desk.close())

const purchasesOf = async (userId: unknown) =>
  (await desk.credits.marketplace.getPurchases({ userId: String(userId) })).purchases

/** The address a page leads on to by itself. */
const onwards = (body: string) => /http-equiv="refresh"\s+content="\d+;url=([^"]+)"/.exec(body)?.[1]
const sessionOf = (body: string) => /\/c\/pay\/(cs_\w+)/.exec(onwards(body) ?? '')?.[1] ?? ''

describe('buying', () => {
  it('leads from the shop to the payment, and back to credits', async () => {
    const user = desk.newUser()
    const left = await desk.fillIn('/buy', user, { packageId: String(desk.packageId), quantity: '3' })
    expect(left.status).toBe(200)
    const sessionId = sessionOf(left.body)
    expect(onwards(left.body)).toContain(desk.stripe.url)
    const session = await sessionNamed(sessionId)
    expect(session.success_url).toBe(`${ORIGIN}/credits/checkout/done?session_id={CHECKOUT_SESSION_ID}`)

    const early = await desk.get(`/checkout/done?session_id=${sessionId}`, user)
    expect(words(early.body)).toContain('Not paid yet')
    expect(onwards(early.body)).toBe(`/credits/checkout/done?session_id=${sessionId}&amp;look=2`)

    await desk.stripe.complete(sessionId)
    const done = await desk.get(`/checkout/done?session_id=${sessionId}`, user)
    expect(words(done.body)).toContain('+300 Enrichment credits')
    expect(onwards(done.body)).toBeUndefined()
    expect(words((await desk.get('/purchases', user)).body)).toMatch(/3 × Starter Pack 300 Enrichment \$29\.97 Paid/)
  })

  it('opens one checkout, however often the button is pressed', async () => {
    const user = desk.newUser()
    const fields = { ...hiddenFields((await desk.get('/buy', user)).body, '/buy'), quantity: '1' }
    const answers = await Promise.all([1, 2, 3].map(() => desk.post('/buy', user, fields)))
    expect(new Set(answers.map(({ body }) => sessionOf(body)))).toEqual(new Set([sessionOf(answers[0]?.body ?? '')]))
    expect(await purchasesOf(user.userId)).toHaveLength(1)
  })

  it('says so when a form that was paid is sent again, and sells nothing', async () => {
    const user = desk.newUser()
    const fields = { ...hiddenFields((await desk.get('/buy', user)).body, '/buy'), quantity: '1' }
    await desk.stripe.complete(sessionOf((await desk.post('/buy', user, fields)).body))
    const again = await desk.post('/buy', user, fields)
    expect(again.status).toBe(400)
    expect(words(again.body)).toContain('This was sent before.')
    const changed = await desk.post('/buy', user, { ...fields, quantity: '2' })
    expect(changed.status).toBe(409)
    expect(await purchasesOf(user.userId)).toHaveLength(1)
    // The form that is shown again can be sent.
    const fresh = await desk.post('/buy', user, { ...hiddenFields(again.body, '/buy'), quantity: '1' })
    expect(sessionOf(fresh.body)).toMatch(/^cs_/)
  })

  it('shows the form again when a quantity can’t be meant, with what was typed and why', async () => {
    for (const quantity of ['0', '1001', '1.5', 'many', '-1']) {
      const { status, body } = await desk.fillIn('/buy', desk.newUser(), { quantity })
      expect(status).toBe(400)
      expect(body).toContain(`value="${quantity}"`)
      const id = `field-${desk.packageId}-quantity`
      expect(body).toContain(`href="#${id}"`)
      expect(body).toMatch(new RegExp(`id="${id}"\\s+aria-describedby="${id}-error"\\s+aria-invalid="true"`))
      expect(words(body)).toMatch(/Must be (at least 1|at most 1000|a whole number)\./)
    }
  })

  it('refuses packages that are not on sale, and keys that are not ours', async () => {
    const user = desk.newUser()
    const off = await desk.credits.marketplace.createPackage({
      ...{ name: 'Old', creditAmount: 1, price: 100, creditType: 'enrichment', isActive: false },
    })
    expect((await desk.fillIn('/buy', user, { packageId: String(off.id) })).status).toBe(409)
    expect((await desk.fillIn('/buy', user, { packageId: '999999' })).status).toBe(404)
    expect((await desk.fillIn('/buy', user, { packageId: 'x' })).status).toBe(400)
    for (const key of ['', 'order-17', 'creditkit:x'])
      expect((await desk.fillIn('/buy', user, { key })).status).toBe(400)
    expect(await purchasesOf(user.userId)).toEqual([])
  })

  it('sells to whoever is signed in, whatever the form says', async () => {
    const [user, other] = [desk.newUser(), desk.newUser()]
    await desk.fillIn('/buy', user, { quantity: '1', userId: String(other.userId) })
    expect(await purchasesOf(user.userId)).toHaveLength(1)
    expect(await purchasesOf(other.userId)).toEqual([])
  })
})

describe('coming back from the payment', () => {
  it('knows nothing of other people’s checkouts, nor of ones that never were', async () => {
    const sessionId = await desk.buy(desk.newUser())
    for (const asked of [sessionId, 'cs_test_never', encodeURIComponent('<b>')]) {
      const { status, body } = await desk.get(`/checkout/done?session_id=${asked}`, desk.newUser())
      expect(status).toBe(404)
      expect(words(body)).not.toContain('Starter Pack')
    }
    expect((await desk.get('/checkout/done', desk.newUser())).status).toBe(400)
  })

  it('looks again while the money is on its way, less and less often, and then no more', async () => {
    const user = desk.newUser()
    const { body } = await desk.fillIn('/buy', user, { quantity: '1' })
    const sessionId = sessionOf(body)
    await desk.stripe.complete(sessionId, 'unpaid')
    const look = async (number: string) =>
      (await desk.get(`/checkout/done?session_id=${sessionId}&look=${number}`, user)).body
    expect(words(await look('1'))).toContain('Your payment is on its way')
    expect(await look('4')).toMatch(/content="5;url=[^"]*look=5"/)
    for (const odd of ['-3', 'x', '']) expect(await look(odd)).toMatch(/content="2;url=[^"]*look=2"/)
    expect(onwards(await look('15'))).toBeUndefined()
    expect(onwards(await look('1e99'))).toBeUndefined()
  })

  it('says how it ended, and what to do', async () => {
    const user = desk.newUser()
    const { body } = await desk.fillIn('/buy', user, { quantity: '1' })
    const sessionId = sessionOf(body)
    await desk.stripe.expire(sessionId)
    const ended = await desk.get(`/checkout/done?session_id=${sessionId}`, user)
    expect(words(ended.body)).toContain('The checkout has expired')
    expect(ended.body).toContain('href="/credits/buy"')
  })
})

describe('purchases', () => {
  it('show what went back', async () => {
    const user = desk.newUser()
    const sessionId = await desk.buy(user)
    await desk.stripe.refund({ sessionId, amount: 500 })
    const text = words((await desk.get('/purchases', user)).body)
    expect(text).toContain('$9.99')
    expect(text).toContain('$5.00 back')
    expect(text).toContain('Partly refunded')
  })

  it('are paged', async () => {
    const user = desk.newUser()
    for (let index = 0; index < 27; index += 1)
      await desk.credits.marketplace.createCheckout({ userId: user.userId, packageId: desk.packageId })
    const first = await desk.get('/purchases', user)
    const [, older = ''] = /href="\/credits(\/purchases\?cursor=[^"]+)"/.exec(first.body) ?? []
    const second = await desk.get(older, user)
    const rows = (body: string) => body.match(/<tr role="row">/g)?.length ?? 0
    expect([rows(first.body), rows(second.body)]).toEqual([26, 3])
  })
})

describe('automatic top-up', () => {
  const fields = { threshold: '50', quantity: '2', maxPerMonth: '3', maxAmountMinor: '59.95' }
  const topupOf = (userId: unknown) =>
    desk.credits.marketplace.getAutoTopup({ userId: String(userId), creditType: 'enrichment' })

  it('is switched on, changed and switched off by forms', async () => {
    const user = desk.newUser()
    const sent = { ...fields, packageId: String(desk.packageId) }
    const on = await desk.fillIn('/auto-topup', user, sent)
    expect(on.status).toBe(303)
    expect(on.headers.get('location')).toBe('/credits/auto-topup?type=enrichment&notice=saved')
    expect(await topupOf(user.userId)).toMatchObject({
      ...{ status: 'active', threshold: 50, quantity: 2, maxPerMonth: 3, maxAmountMinor: 5995 },
    })
    const page = await desk.get('/auto-topup', user)
    expect(words(page.body)).toContain('2 × Starter Pack')
    expect(page.body).toContain('value="59.95"')

    await desk.fillIn('/auto-topup', user, { ...sent, maxPerMonth: '', maxAmountMinor: '' })
    expect(await topupOf(user.userId)).toMatchObject({ maxPerMonth: null, maxAmountMinor: null })

    const off = await desk.fillIn('/auto-topup', user, {}, '/auto-topup/off')
    expect(off.status).toBe(303)
    expect(await topupOf(user.userId)).toMatchObject({ status: 'off', threshold: 50 })
  })

  it('keeps what was typed when it is refused, and says why in money', async () => {
    const user = desk.newUser()
    const sent = { ...fields, packageId: String(desk.packageId) }
    const low = await desk.fillIn('/auto-topup', user, { ...sent, maxAmountMinor: '19.97' })
    expect(low.status).toBe(400)
    expect(words(low.body)).toContain('Money per month: Must cover at least one top-up.')
    expect(low.body).toContain('value="19.97"')
    const odd = await desk.fillIn('/auto-topup', user, { ...sent, maxAmountMinor: 'a lot' })
    expect(words(odd.body)).toContain('Must be an amount, such as 50.00.')
    const none = await desk.fillIn('/auto-topup', user, { ...sent, threshold: '' })
    expect(words(none.body)).toContain('Credits that are left: Must be a whole number.')
    expect(await topupOf(user.userId)).toBeNull()
  })

  it('leads to the page for saving a card, and back', async () => {
    const user = desk.newUser()
    const { body } = await desk.fillIn('/auto-topup', user, {}, '/auto-topup/card')
    const session = await sessionNamed(sessionOf(body))
    expect(session.mode).toBe('setup')
    expect(session.success_url).toBe(`${ORIGIN}/credits/auto-topup?type=enrichment&notice=card-saved`)
  })
})

describe('a subscription', () => {
  async function subscribed() {
    const user = desk.newUser()
    const { sessionId } = await desk.credits.marketplace.subscribe({ userId: user.userId, plan: 'pro' })
    await desk.stripe.complete(sessionId)
    const [subscription] = await desk.credits.marketplace.getSubscriptions({ userId: user.userId })
    if (subscription === undefined) throw new Error('subscribed: there is no subscription')
    return { user, id: subscription.id }
  }

  it('is shown, cancelled only after a second question, and then runs out', async () => {
    const { user, id } = await subscribed()
    const page = await desk.get('/subscriptions', user)
    expect(words(page.body)).toMatch(/pro State Active Renews \w+ \d+, \d+ Cancel…/)
    const question = await desk.get(`/subscriptions/${id}/cancel`, user)
    expect(words(question.body)).toContain('Cancel pro?')
    const [before] = await desk.credits.marketplace.getSubscriptions({ userId: user.userId })
    expect(before?.cancelAtPeriodEnd).toBe(false)

    const done = await desk.fillIn(`/subscriptions/${id}/cancel`, user, {})
    expect(done.headers.get('location')).toBe('/credits/subscriptions?notice=subscription-canceled')
    const [after] = await desk.credits.marketplace.getSubscriptions({ userId: user.userId })
    expect(after).toMatchObject({ status: 'active', cancelAtPeriodEnd: true })
    expect(words((await desk.get('/subscriptions', user)).body)).toContain('Ends soon')
  })

  it('can’t be seen or cancelled by others', async () => {
    const { user, id } = await subscribed()
    const other = desk.newUser()
    expect((await desk.get(`/subscriptions/${id}/cancel`, other)).status).toBe(404)
    const token = hiddenFields((await desk.get('/buy', other)).body, '/buy').token ?? ''
    expect((await desk.post(`/subscriptions/${id}/cancel`, other, { token })).status).toBe(404)
    const [still] = await desk.credits.marketplace.getSubscriptions({ userId: user.userId })
    expect(still?.cancelAtPeriodEnd).toBe(false)
  })

  it('is managed at the provider, which leads back', async () => {
    const user = desk.newUser()
    const { body } = await desk.fillIn('/subscriptions', user, {}, '/subscriptions/portal')
    expect(onwards(body)).toContain(`${desk.stripe.url}/p/session/`)
  })
})

const sessionNamed = (sessionId: string) => desk.stripe.stripe.checkout.sessions.retrieve(sessionId)
