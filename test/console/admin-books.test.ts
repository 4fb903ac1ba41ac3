import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { createConsole } from 'creditkit/console'
import { testClock } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminPages } from '../../adapters/console/admin/index.js'
import { ruleWords } from '../../adapters/console/admin/words.js'
import { ADMIN, BUYER, quiet } from '../doors/call-samples.js'
import { type AdminDesk, openAdminDesk } from './admin-desk.js'

/* Looking after the books: verifying, rebuilding, what is due, and figures over all users. */

let desk: AdminDesk
/** Whose balance the store tells wrongly. */
const wrong = new Set<string>()

beforeAll(async () => {
  const store = memoryStore()
  const scan = store.scanAccounts.bind(store)
  store.scanAccounts = (query, visit) =>
    scan(query, (history) => {
      const { account } = history
      visit(wrong.has(account.userId) ? { ...history, account: { ...account, balance: account.balance + 1 } } : history)
    })
  desk = await openAdminDesk({ store })
})

afterAll(() => desk.close())

const creditType = 'enrichment'
const VERIFY = '/admin/verify'
const REBUILD = `${VERIFY}/rebuild`
const give = (userId: string) => desk.credits.addCredits({ userId, amount: 50, creditType, description: 'Gift' })

describe('who may open administrators’ pages', () => {
  const paths = adminPages.map(({ method, path }) => [method, path.replaceAll(/\{\w+\}/g, 'some')] as const)

  it.each(paths)('%s %s: administrators, not users, and nobody who is not signed in', async (method, path) => {
    const ask = (person: typeof BUYER | null) =>
      method === 'GET' ? desk.open(path, person) : desk.send(path, {}, person)
    expect((await ask(null)).status).toBe(401)
    expect((await ask(BUYER)).status).toBe(403)
  })

  it.each(adminPages.filter(({ method }) => method === 'POST').map(({ path }) => path.replaceAll(/\{\w+\}/g, 'some')))(
    'POST %s does nothing without the form’s token',
    async (path) => {
      const before = desk.calls.length
      const refused = await desk.send(path, { user: 'somebody', amount: '5', token: 'f'.repeat(64) })
      expect(refused.status).toBe(403)
      expect(desk.calls).toHaveLength(before)
    },
  )
})

describe('verifying', () => {
  it('says that all is sound, of everybody or of one user', async () => {
    const userId = desk.newUser()
    await give(userId)
    const all = await desk.submit(await desk.open(VERIFY), VERIFY)
    expect(all.text).toContain('All is sound')
    const one = await desk.submit(all, VERIFY, { userId })
    expect(one.text).toContain('1 account checked, every rule holds.')
    const none = await desk.submit(all, VERIFY, { userId: desk.newUser('nobody') })
    expect(none.text).toContain('has no account')
  })

  it('names what does not hold, whose it is, and rebuilds it when that is confirmed', async () => {
    const userId = desk.newUser('<s>wrong</s>')
    await give(userId)
    wrong.add(userId)
    const page = await desk.submit(await desk.open(VERIFY), VERIFY, { userId })
    expect(page.text).toContain('2 rules do not hold')
    expect(page.all('tbody tr')[0]).toBe(
      `${userId} Enrichment The balance is the sum of all transactions balance is 51, expected 50 Rebuild`,
    )
    expect(page.html).not.toContain('<s>wrong')
    const asked = await desk.open(page.link('Rebuild'))
    expect(asked.text).toContain('These figures are replaced')
    wrong.delete(userId)
    expect((await desk.submit(asked, REBUILD)).status).toBe(400)
    const done = await desk.submit(asked, REBUILD, { reason: 'After a repair' })
    expect(done.status).toBe(303)
    expect((await desk.follow(done)).all('h1')).toEqual([userId])
    expect(desk.calls.at(-1)).toBe('rebuild')
    expect((await desk.submit(page, VERIFY, { userId })).text).toContain('All is sound')
  })

  it('refuses what can’t be a user’s id', async () => {
    const page = await desk.submit(await desk.open(VERIFY), VERIFY, { userId: 'x'.repeat(256) })
    expect(page.status).toBe(400)
    expect(page.formTo(VERIFY).userId).toHaveLength(256)
  })

  it('says rules of later versions by their own name', () => {
    expect(ruleWords('toString')).toBe('toString')
    expect(ruleWords('balance')).toBe('The balance is the sum of all transactions')
  })
})

describe('running what is due', () => {
  it('reports what was done, and then that nothing is left', async () => {
    const clock = testClock()
    const shop = await openAdminDesk({ clock })
    const userId = shop.newUser()
    const expiresAt = new Date(clock.now().getTime() + 60_000)
    await shop.credits.addCredits({ userId, amount: 50, creditType, description: 'Short-lived', expiresAt })
    clock.advance(61_000)
    const page = await shop.submit(await shop.open('/admin/due'), '/admin/due')
    expect(page.text).toContain('Accounts brought up to date 1')
    expect((await shop.submit(page, '/admin/due')).text).toContain('Nothing was due')
    const [expired] = await shop.credits.getTransactionHistory(userId)
    expect(expired?.transactionType).toBe('expiration')
    await shop.close()
  })
})

describe('metrics', () => {
  it('shows what was bought, used and given back, and packages with their revenue', async () => {
    const shop = await openAdminDesk()
    const userId = shop.newUser()
    await shop.buy(userId)
    await shop.buy(userId)
    const pack = { name: 'Minutes <b>', creditAmount: 30, price: 4500, creditType: 'calling', currency: 'eur' } as const
    const { id: packageId } = await shop.credits.marketplace.createPackage(pack)
    const { sessionId } = await shop.credits.marketplace.createCheckout({ userId, packageId })
    await shop.stripe.complete(sessionId)
    const use = await shop.credits.deductCredits({ userId, amount: 40, creditType, description: 'Forty' })
    await shop.credits.refundCredits({ transactionId: use.id, amount: 10 })
    const page = await shop.open('/admin/metrics')
    expect(page.all('.stat')).toEqual([
      'Purchased 230',
      'Used 40 in 1 use',
      'Given back 10 in 1 refund',
      'Refund rate 100 % refunds per use',
      'Breakage 0 expired or ended unused',
      'Taken back 0 money went back',
      'Active users 1 used credits',
      'Average daily use 1.3 credits per active user',
      'Transactions 5',
      'Paid 200',
      'Given for free 0',
    ])
    expect(page.all('tbody tr')).toEqual(['Starter Pack 2 200 $19.98', 'Minutes <b> 1 30 €45.00'])
    const calling = await shop.open('/admin/metrics?type=calling')
    expect(calling.all('.stat')[0]).toBe('Purchased 30')
    expect(calling.all('tbody tr')).toEqual(['Minutes <b> 1 30 €45.00'])
    const before = await shop.open('/admin/metrics?from=2025-01-01&to=2025-01-31')
    expect(before.text).toContain('Nothing was sold in these days')
    await shop.close()
  })

  it('shows the usual days where it is asked for such that can’t be meant, and says so', async () => {
    const page = await desk.open('/admin/metrics?from=2031-13-01&to=nonsense')
    expect(page.status).toBe(400)
    expect(page.text).toContain('From: Must be a day')
    expect(page.all('.stat')).not.toEqual([])
  })
})

describe('a service that sells nothing', () => {
  it('has every page all the same', async () => {
    const credits = new CreditService({ store: memoryStore(), logger: quiet })
    const answer = createConsole({ credits, authenticate: () => ADMIN })
    const open = async (path: string) => {
      const response = await answer(new Request(`https://myapp.com/credits/admin${path}`))
      return `${response.status} ${await response.text()}`
    }
    expect(await open('/users')).toContain('Nobody has credits yet')
    expect(await open('/packages')).toContain('Nothing is on sale yet')
    for (const path of ['/quarantine', '/reconcile']) expect(await open(path)).toContain('Nothing is sold here yet')
    for (const path of ['/metrics', '/verify', '/due', '/users/account?user=u', '/users/timeline?user=u'])
      expect(await open(path)).toMatch(/^200 /)
    await credits.close()
  })
})
