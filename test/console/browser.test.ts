import { violationsOf } from './axe.js'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ConsoleSite, openBrowser, openSite, screenshotPath } from './real-browser.js'

/* The console in real Chromium, as people use it. */

let browser: Browser
let site: ConsoleSite
let context: BrowserContext
let page: Page
/** What the browser complained of: the policy, a script, a broken page. */
let complaints: string[]
let userId: string
let users = 0

beforeAll(async () => {
  ;[browser, site] = await Promise.all([openBrowser(), openSite()])
})
afterAll(async () => {
  await browser.close()
  await site.close()
})
beforeEach(async () => {
  userId = `buyer-${++users}`
  await enter(userId)
})
afterEach(async () => {
  await context.close()
  expect(complaints).toEqual([])
})

async function enter(
  user: string,
  options: { colorScheme?: 'dark' | 'light'; viewport?: { width: number; height: number } } = {},
): Promise<void> {
  context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options })
  await context.addCookies([{ name: 'user', value: user, url: site.origin }])
  page = await context.newPage()
  complaints = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
}

const open = (path: string) => page.goto(`${site.origin}/credits${path}`)
const text = () => page.locator('main').innerText()

const newPackage = (name = 'Starter') =>
  site.credits.marketplace.createPackage({ name, creditAmount: 500, price: 1900, creditType: 'enrichment' })

describe('a customer', () => {
  it('buys through the payment page, and sees the balance change', async () => {
    await newPackage()
    await open('')
    expect(await text()).toContain('0')
    await page.getByRole('link', { name: 'Buy credits' }).first().click()
    await page.getByRole('button', { name: 'Buy Starter' }).first().click()
    await page.waitForURL(/\/c\/pay\//)
    await page.getByLabel('Email').fill('ada@example.com')
    await page.getByRole('button', { name: 'Pay $19.00' }).click()
    await page.waitForURL(/checkout\/done/)
    await page.getByText('500').first().waitFor()
    await page.screenshot({ path: screenshotPath('bought'), fullPage: true })
    await open('')
    expect(await text()).toContain('500')
    expect(await site.credits.getBalance(userId, 'enrichment')).toBe(500)
  })

  it('buys with the keyboard alone', async () => {
    await newPackage()
    await open('/buy')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content')
    await page.keyboard.press('Enter')
    await tabTo('Buy Starter')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/c\/pay\//)
    await tabTo('Pay $19.00')
    await page.keyboard.press('Enter')
    await page.waitForURL(/checkout\/done/)
    expect(await site.credits.getBalance(userId, 'enrichment')).toBe(500)
  })

  it('sees what others wrote as text, wherever it stands', async () => {
    const hostile = '<img src=x onerror=alert(1)><script>alert(2)</script>'
    const { id } = await newPackage(hostile)
    await site.credits.marketplace.updatePackage({ id, description: `"'>${hostile}`, metadata: { note: hostile } })
    const use = { userId, creditType: 'enrichment', metadata: { note: hostile }, referenceId: hostile } as const
    await site.credits.addCredits({ ...use, amount: 10, description: hostile })
    const { id: transactionId } = await site.credits.deductCredits({ ...use, amount: 1, description: hostile })
    for (const path of [
      '',
      '/buy',
      '/history',
      `/history?type=${encodeURIComponent(hostile)}`,
      `/history/${transactionId}`,
    ]) {
      await open(path)
      expect(await page.locator('script, img').count()).toBe(0)
    }
    expect(await text()).toContain('<script>alert(2)</script>')
    // The filter of that name is refused, as the browser says, too.
    expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 400')])
    await site.credits.marketplace.updatePackage({ id, isActive: false })
  })

  /** Until the focus is on what is called so, as somebody without a mouse would. */
  async function tabTo(name: string): Promise<void> {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab')
      const focused = await page.evaluate(() => {
        const element = document.activeElement
        return element?.getAttribute('aria-label') ?? element?.textContent.trim()
      })
      if (focused === name) return
    }
    throw new Error(`tabTo: no tab stop is called ${name}`)
  }
})

describe('an administrator', () => {
  beforeEach(async () => {
    await context.close()
    await enter('boss.admin')
  })

  it('adjusts a balance, with a reason and a look before it is done', async () => {
    await site.credits.addCredits({ userId, amount: 10, creditType: 'enrichment', description: 'Gift' })
    await open(`/admin/users/account?user=${userId}`)
    await page.getByRole('link', { name: 'Adjust' }).first().click()
    await page.getByLabel('Credit type').selectOption('enrichment')
    await page.getByLabel('Change').fill('-4')
    await page.getByLabel('Reason').fill('Counted twice')
    await page.getByRole('button', { name: 'Continue' }).click()
    expect(await text()).toMatch(/10[\s\S]*6/)
    await page.screenshot({ path: screenshotPath('adjusting'), fullPage: true })
    await page.getByRole('button', { name: 'Take 4 credits' }).click()
    await page.getByRole('status').waitFor()
    expect(await site.credits.getBalance(userId, 'enrichment')).toBe(6)
    const [adjustment] = await site.credits.getTransactionHistory(userId, 'enrichment', 1)
    expect(adjustment).toMatchObject({ amount: -4, description: 'Counted twice', actor: 'boss' })
  })

  it('gives the credits of a use back', async () => {
    await site.credits.addCredits({ userId, amount: 10, creditType: 'enrichment', description: 'Gift' })
    await site.credits.deductCredits({ userId, amount: 7, creditType: 'enrichment', description: 'Enriched 7 leads' })
    await open(`/admin/users/account?user=${userId}`)
    await page
      .getByRole('link', { name: /timeline/i })
      .first()
      .click()
    await page.getByRole('link', { name: /Enriched 7 leads/ }).click()
    await page.screenshot({ path: screenshotPath('explained'), fullPage: true })
    await page.getByLabel('Credits to give back').fill('3')
    await page.getByLabel('Reason').fill('Three were not found')
    await page.getByRole('button', { name: 'Give credits back' }).click()
    await page.getByRole('status').waitFor()
    expect(await site.credits.getBalance(userId, 'enrichment')).toBe(6)
  })

  it('edits a package, after a look at how customers will see it', async () => {
    const { id } = await newPackage('Old name')
    await open('/admin/packages')
    await page.screenshot({ path: screenshotPath('packages'), fullPage: true })
    await page.getByRole('link', { name: 'Old name' }).click()
    await page.getByLabel('Name', { exact: true }).fill('New name')
    await page.getByRole('button', { name: 'Preview' }).click()
    expect(await page.getByRole('heading', { name: 'New name' }).count()).toBeGreaterThan(0)
    await page.getByRole('button', { name: /^Save/ }).click()
    await page.getByRole('status').waitFor()
    const packages = await site.credits.marketplace.getPackages()
    expect(packages.find((pack) => pack.id === id)?.name).toBe('New name')
  })
})

/** A site with something of everything, for looking at. */
async function furnished(): Promise<string> {
  const { id: packageId } = await newPackage()
  const { sessionId } = await site.credits.marketplace.createCheckout({ userId, packageId })
  await site.stripe.complete(sessionId)
  await site.credits.marketplace.verifyCheckout({ userId, sessionId })
  const subscribed = await site.credits.marketplace.subscribe({ userId, plan: 'pro' })
  await site.stripe.complete(subscribed.sessionId)
  await site.credits.marketplace.verifyCheckout({ userId, sessionId: subscribed.sessionId })
  const of = { userId, creditType: 'enrichment' } as const
  const expiresAt = new Date(Date.now() + 3 * 86_400_000)
  await site.credits.addCredits({ ...of, amount: 40, description: 'Spring promotion', expiresAt })
  await site.credits.holdCredits({ ...of, amount: 20, description: 'A list is being enriched' })
  const { id } = await site.credits.deductCredits({ ...of, amount: 120, description: 'Enriched 120 leads' })
  return id
}

const CUSTOMER_PATHS = ['', '/buy', '/history', '/history/USE', '/usage', '/purchases', '/auto-topup', '/subscriptions']
const ADMIN_PATHS = [
  ...['/admin/metrics', '/admin/users', '/admin/users/account?user=USER', '/admin/users/timeline?user=USER'],
  ...['/admin/users/adjust?user=USER', '/admin/users/give?user=USER', '/admin/users/transactions/USE'],
  ...['/admin/packages', '/admin/packages/new', '/admin/quarantine', '/admin/reconcile', '/admin/verify', '/admin/due'],
]

describe.each([
  ['light', { colorScheme: 'light', viewport: { width: 1200, height: 900 } }],
  ['dark, on a phone', { colorScheme: 'dark', viewport: { width: 360, height: 740 } }],
] as const)('every page, in %s', (look, options) => {
  it.each([
    ['of customers', CUSTOMER_PATHS, ''],
    ['of administrators', ADMIN_PATHS, '.admin'],
  ] as const)('%s is accessible, and fits', async (_whose, paths, role) => {
    const use = await furnished()
    await context.close()
    await enter(`${userId}${role}`, options)
    const found: unknown[] = []
    for (const path of paths) {
      const response = await open(path.replace('USER', userId).replace('USE', use))
      if (response?.status() !== 200) found.push([path, response?.status()])
      const name = `${look.split(',')[0]}${path.split('?')[0]?.replaceAll('/', '-') || '-overview'}`
      await page.screenshot({ path: screenshotPath(name), fullPage: true })
      const violations = await violationsOf(page)
      for (const { id, nodes } of violations.filter(({ impact }) => impact === 'serious' || impact === 'critical'))
        found.push([path, id, nodes[0]?.html])
      const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
      if (isTooWide) found.push([path, 'scrolls sideways'])
    }
    expect(found).toEqual([])
  })
})
