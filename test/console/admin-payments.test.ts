import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminDesk, openAdminDesk } from './admin-desk.js'

/* Payments that are not what was sold, and what the provider's records say. */

let desk: AdminDesk

beforeAll(async () => {
  desk = await openAdminDesk()
})

afterAll(() => desk.close())

const creditType = 'enrichment'
const PATH = '/admin/quarantine'
const DECIDE = `${PATH}/decide`

describe('a payment in quarantine', () => {
  it('is shown with its reason, what was paid and whose it is', async () => {
    const userId = desk.newUser('<u>buyer</u>')
    await desk.buy(userId, { amount_subtotal: 1 })
    const page = await desk.open(PATH)
    expect(page.text).toContain('Priced at 1, sold at 999 (minor units)')
    expect(page.text).toContain(`User ${userId}`)
    expect(page.text).toContain('Price of what was paid $0.01')
    expect(page.html).not.toContain('<u>buyer')
  })

  it('is granted after a second look, once however often that is sent', async () => {
    const userId = desk.newUser()
    await desk.buy(userId, { amount_subtotal: 2 })
    const page = await desk.open(await decision(userId, 'grant'))
    expect(page.text).toContain('The user gets what was sold')
    expect(await desk.credits.getBalance(userId, creditType)).toBe(0)
    const fields = { ...page.formTo(DECIDE), reason: 'Compared by hand' }
    expect((await desk.send(DECIDE, fields)).status).toBe(303)
    expect((await desk.send(DECIDE, fields)).status).toBe(303)
    expect(await desk.credits.getBalance(userId, creditType)).toBe(100)
    expect((await desk.open(PATH)).text).not.toContain(userId)
    const all = await desk.open(`${PATH}?show=all`)
    expect(all.text).toContain(`User ${userId}`)
    expect(all.text).toContain('By admin-1')
  })

  it('is dismissed after a second look, and then can’t be granted any more', async () => {
    const userId = desk.newUser()
    await desk.buy(userId, { amount_subtotal: 3 })
    const grant = await desk.open(await decision(userId, 'grant'))
    const dismiss = await desk.open(await decision(userId, 'dismiss'))
    expect(dismiss.text).toContain('No credits come of this payment')
    expect((await desk.submit(dismiss, DECIDE, { reason: 'Given back' })).status).toBe(303)
    const late = await desk.submit(grant, DECIDE, { reason: 'Compared' })
    expect(late.status).toBe(400)
    expect(late.text).toContain('The payment was dismissed before')
    expect(await desk.credits.getBalance(userId, creditType)).toBe(0)
  })

  it('is not there under an id that no payment has', async () => {
    expect((await desk.open(`${DECIDE}?entry=nonsense&action=grant`)).status).toBe(404)
  })

  /** Where the button of a user's entry leads. */
  async function decision(userId: string, action: string): Promise<string> {
    const entries = await desk.credits.marketplace.listQuarantine()
    const entry = entries.find((each) => each.userId === userId)
    return `${DECIDE}?entry=${entry?.id ?? 'none'}&action=${action}`
  }
})

describe('an invoice whose payer nobody knows', () => {
  it('asks whose payment it is, and grants it to them', async () => {
    const api = desk.stripe.stripe
    const customer = await api.customers.create({
      ...{ name: 'Unknown', payment_method: 'pm_card_visa' },
      invoice_settings: { default_payment_method: 'pm_card_visa' },
    })
    await api.subscriptions.create({ customer: customer.id, items: [{ price: desk.planPriceId }] })
    await desk.stripe.idle()
    const [entry] = (await desk.credits.marketplace.listQuarantine()).filter(({ userId }) => userId === null)
    const list = await desk.open(PATH)
    expect(list.text).toContain('User Nobody knows')
    expect(list.text).toContain('Paid $20.00')
    const page = await desk.open(`${DECIDE}?entry=${entry?.id ?? 'none'}&action=grant`)
    const unsaid = await desk.submit(page, DECIDE, { reason: 'Compared' })
    expect(unsaid.status).toBe(400)
    expect(unsaid.text).toContain('Whose payment it is: Must say whose payment it is')
    const userId = desk.newUser()
    expect((await desk.submit(unsaid, DECIDE, { userId, reason: 'Compared' })).status).toBe(303)
    expect(await desk.credits.getBalance(userId, 'scraping')).toBe(500)
    expect((await desk.open(PATH)).text).not.toContain('Nobody knows')
  })
})

describe('comparing with the provider’s records', () => {
  const RUN = '/admin/reconcile/run'
  const REPAIR = '/admin/reconcile/repair'
  const RECONCILE = '/admin/reconcile'

  /** Sold, but nobody told us. */
  async function buyUnheard(shop: AdminDesk): Promise<string> {
    const userId = shop.newUser()
    shop.stripe.delivery = 'drop'
    await shop.buy(userId)
    shop.stripe.delivery = 'auto'
    return userId
  }

  it('says day by day what it looked at, and that everything agrees', async () => {
    const shop = await openAdminDesk()
    await shop.buy(shop.newUser())
    const page = await shop.submit(await shop.open(RECONCILE), RUN)
    expect(page.status).toBe(200)
    expect(page.text).toContain('Everything agrees')
    const days = page.all('[aria-live] li')
    expect(days).toHaveLength(7)
    expect(days.at(-1)).toContain('1 checkouts')
    expect(days.every((day) => day.endsWith('Agrees'))).toBe(true)
    await shop.close()
  })

  it('shows what differs and changes nothing, then repairs it when that is confirmed', async () => {
    const shop = await openAdminDesk()
    const userId = await buyUnheard(shop)
    const compared = await shop.submit(await shop.open(RECONCILE), RUN)
    expect(compared.text).toContain('1 thing differs')
    expect(compared.text).toContain('Paid, but no credits came')
    expect(compared.all('tbody tr')[0]).toContain(`${userId} 100 Differs`)
    expect(await shop.credits.getBalance(userId, creditType)).toBe(0)
    const asked = await shop.open(compared.link('Repair …'))
    expect(asked.text).toContain('Repair what differs?')
    expect(await shop.credits.getBalance(userId, creditType)).toBe(0)
    const repaired = await shop.submit(asked, REPAIR)
    expect(repaired.text).toContain('All that was found is right now.')
    expect(repaired.all('tbody tr')[0]).toContain(`${userId} 100 Repaired`)
    expect((await shop.submit(asked, REPAIR)).text).toContain('Everything agrees')
    expect(await shop.credits.getBalance(userId, creditType)).toBe(100)
    await shop.close()
  })

  it('shows a finding of several days once, and what waits in quarantine as nothing to repair', async () => {
    const shop = await openAdminDesk()
    await shop.buy(shop.newUser(), { amount_subtotal: 1 })
    const page = await shop.submit(await shop.open(RECONCILE), RUN)
    expect(page.all('tbody tr')).toHaveLength(1)
    expect(page.text).toContain('Waits in quarantine')
    expect(page.links('Repair …')).toEqual([])
    await shop.close()
  })

  it('shows each day as soon as it is compared, and ends when nobody reads on', async () => {
    const shop = await openAdminDesk()
    const form = (await shop.open(RECONCILE)).formTo(RUN)
    const response = await shop.request(RUN, form)
    expect(response.status).toBe(200)
    const reader = response.body?.getReader()
    const read = async () => new TextDecoder().decode((await reader?.read())?.value)
    expect(await read()).toContain('<h1>What differs</h1>')
    expect(await read()).toContain('Progress')
    expect(await read()).toContain('Agrees')
    await reader?.cancel()
    const asked = shop.calls.length
    await shop.stripe.idle()
    expect(shop.calls.length).toBeLessThan(7)
    expect(shop.calls).toHaveLength(asked)
    await shop.close()
  })

  it('says so when it had to stop, with what it had done', async () => {
    const shop = await openAdminDesk()
    const form = (await shop.open(RECONCILE)).formTo(RUN)
    shop.stripe.failNext({ status: 500, times: 50 })
    const page = await shop.send(RUN, form)
    expect(page.text).toContain('It stopped here')
    expect(page.text).toContain('running it again is safe')
    await shop.close()
  })

  it.each([
    [{ from: '2031-02-30' }, 'From: Must be a day'],
    [{ from: '2031-03-02', to: '2031-03-01' }, 'To: Must not be before the first day'],
    [{ from: '2020-01-01' }, 'From: Must be at most 92 days before the last one'],
    [{ to: '<script>' }, 'To: Must be a day'],
  ])('refuses the days %o', async (days, message) => {
    const page = await desk.submit(await desk.open(RECONCILE), RUN, days)
    expect(page.status).toBe(400)
    expect(page.text).toContain(message)
    expect((await desk.open(`${REPAIR}?${new URLSearchParams(days).toString()}`)).status).toBe(400)
  })
})
