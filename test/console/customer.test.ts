import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CustomerDesk, openCustomerDesk, words } from './customer-desk.js'

let desk: CustomerDesk

beforeAll(async () => {
  desk = await openCustomerDesk({ creditTypeNames: { calling: 'Calling <minutes>' } })
})

afterAll(() => desk.close())

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`
const DAY_MS = 86_400_000

describe('the overview', () => {
  it('shows what is available, set aside, ending and beginning', async () => {
    const user = desk.newUser()
    const account = { userId: user.userId, creditType: 'enrichment' } as const
    const soon = new Date(Date.now() + 5.5 * DAY_MS)
    const later = new Date(Date.now() + 40 * DAY_MS)
    await desk.credits.addCredits({ ...account, amount: 1200, description: 'Gift' })
    await desk.credits.addCredits({ ...account, amount: 30, description: 'Ends', expiresAt: soon, priority: 9 })
    await desk.credits.addCredits({ ...account, amount: 77, description: 'Begins', effectiveAt: later })
    await desk.credits.holdCredits({ ...account, amount: 20, description: 'Running' })
    const text = words((await desk.get('', user)).body)
    expect(text).toContain('1,210 available')
    expect(text).toContain('Set aside for work that is running 20')
    expect(text).toMatch(/Ends \w+ \d+, \d+ in 5 days 30/)
    expect(text).toMatch(/More from \w+ \d+, \d+ \+77/)
  })

  it('explains debt', async () => {
    const own = await openCustomerDesk()
    const user = own.newUser()
    const sessionId = await own.buy(user)
    await own.credits.deductCredits({
      ...{ userId: user.userId, creditType: 'enrichment', amount: 100, description: 'All of it' },
    })
    await own.stripe.dispute({ sessionId })
    const balances = await own.credits.getAllBalances(user.userId)
    const text = words((await own.get('', user)).body)
    expect(balances.enrichment.debt).toBe(100)
    expect(text).toContain('Owed. A payment was returned after its credits had been used.')
    await own.close()
  })

  it('tells newcomers what to do', async () => {
    const { body } = await desk.get('', desk.newUser())
    expect(words(body)).toContain('Nothing has happened yet')
    expect(body).toContain('href="/credits/buy?type=enrichment"')
  })

  it('works for a host that sells nothing', async () => {
    const { CreditService } = await import('creditkit')
    const { memoryStore } = await import('creditkit/adapters/memory')
    const { createConsole } = await import('creditkit/console')
    const credits = new CreditService({ store: memoryStore() })
    const answer = createConsole({ credits, authenticate: () => desk.newUser() })
    const open = async (path: string) => answer(new Request(`https://shop.example/credits${path}`))
    expect((await open('')).status).toBe(200)
    expect(words(await (await open('/buy')).text())).toContain('Nothing is on sale right now')
    expect(words(await (await open('/subscriptions')).text())).toContain('can’t be bought here')
    expect((await open('/auto-topup')).status).toBe(200)
    await credits.close()
  })
})

describe('texts of others', () => {
  it('stay text on every page that shows them', async () => {
    const own = await openCustomerDesk({ appName: HOSTILE, creditTypeNames: { enrichment: HOSTILE } })
    const pack = { creditAmount: 5, price: 500, creditType: 'enrichment' } as const
    await own.credits.marketplace.createPackage({ ...pack, name: HOSTILE, description: HOSTILE })
    const user = { userId: HOSTILE, isAdmin: false }
    const given = await own.credits.addCredits({
      ...{ userId: HOSTILE, creditType: 'enrichment', amount: 9, description: HOSTILE },
      ...{ referenceId: HOSTILE, referenceType: HOSTILE, metadata: { [HOSTILE]: HOSTILE, list: [HOSTILE] } },
    })
    await own.buy(user)
    const query = encodeURIComponent(HOSTILE)
    const paths = [
      '',
      '/buy',
      '/history',
      `/history/${given.id}`,
      '/usage',
      '/purchases',
      '/auto-topup',
      '/subscriptions',
    ]
    const asked = [
      `/history?type=${query}&kind=${query}&from=${query}&to=${query}`,
      `/usage?type=${query}&days=${query}`,
    ]
    for (const path of [...paths, ...asked, `/buy?type=${query}`, `/nope/${query}`]) {
      const { body } = await own.get(path, user)
      expect(body).not.toContain('<script')
      expect(body).not.toContain('<img')
      expect(body).toContain('&lt;script&gt;')
    }
    const form = await own.fillIn('/buy', user, { quantity: HOSTILE })
    expect(form.status).toBe(400)
    expect(form.body).not.toContain('<script')
    await own.close()
  })
})

describe('the history', () => {
  it('pages through everything once, newest first', async () => {
    const user = desk.newUser()
    for (let index = 0; index < 60; index += 1) await give(user.userId, 1, `Gift ${index}.`)
    const first = await desk.get('/history', user)
    expect(words(first.body)).toContain('Gift 59.')
    const [, older = ''] = /href="\/credits(\/history\?cursor=[^"]+)"/.exec(first.body) ?? []
    const second = await desk.get(older, user)
    const shown = `${first.body}${second.body}`.match(/Gift \d+\./g) ?? []
    expect(new Set(shown).size).toBe(60)
    expect(shown).toHaveLength(60)
    expect(words(second.body)).toContain('That is all.')
  })

  it('filters by credit type, kind and days, the last one included', async () => {
    const user = desk.newUser()
    await give(user.userId, 10, 'Leads')
    await desk.credits.addCredits({ userId: user.userId, creditType: 'calling', amount: 5, description: 'Minutes' })
    await use(user.userId, 3, 'Spent')
    const today = new Date().toISOString().slice(0, 10)
    const list = async (query: string) => words((await desk.get(`/history?${query}`, user)).body)
    expect(await list('type=calling')).not.toContain('Leads')
    expect(await list('type=calling')).toContain('Minutes')
    expect(await list('kind=usage')).toContain('Spent')
    expect(await list('kind=usage')).not.toContain('Minutes')
    expect(await list(`from=${today}&to=${today}`)).toContain('Spent')
    expect(await list('to=2020-01-01')).toContain('Nothing matches')
  })

  it('shows a filter that can’t be meant again, with what is wrong beside the field', async () => {
    const { status, body } = await desk.get('/history?from=someday&to=2026-01-01', desk.newUser())
    expect(status).toBe(400)
    expect(body).toMatch(/<title>Error: History/)
    expect(body).toMatch(/role="alert"[^>]*autofocus/)
    expect(body).toContain('href="#field-from"')
    expect(body).toMatch(/id="field-from"\s+aria-describedby="field-from-error"\s+aria-invalid="true"/)
    expect(body).toContain('value="someday"')
  })

  it('refuses another list’s cursor', async () => {
    expect((await desk.get('/history?cursor=nonsense', desk.newUser())).status).toBe(400)
  })

  it('is a file, too: the whole of what the filter shows', async () => {
    const user = desk.newUser()
    await give(user.userId, 500, '=cmd|calc')
    for (let index = 0; index < 205; index += 1) await use(user.userId, 1, `Job ${index}, "quoted"`)
    const { headers, body } = await desk.get('/history.csv', user)
    expect(headers.get('content-type')).toContain('text/csv')
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="credits-\d{4}-\d\d-\d\d\.csv"$/)
    const lines = body.trimEnd().split('\r\n')
    expect(lines).toHaveLength(207)
    expect(lines[1]).toMatch(/^20\d\d-[^,]+,usage,enrichment,-1,295,"Job 204, ""quoted""",,,[0-9a-f-]{36}$/)
    expect(lines.at(-1)).toContain(`adjustment,enrichment,500,500,'=cmd|calc,`)
    const filtered = await desk.get('/history.csv?kind=adjustment', user)
    expect(filtered.body.trimEnd().split('\r\n')).toHaveLength(2)
    expect((await desk.get('/history.csv?kind=nonsense', user)).status).toBe(400)
  })
})

describe('a transaction', () => {
  it('says which credits were used and what was paid for them', async () => {
    const user = desk.newUser()
    await give(user.userId, 10, 'Free')
    await desk.buy(user)
    const { id } = await use(user.userId, 30, 'A big job')
    const text = words((await desk.get(`/history/${id}`, user)).body)
    expect(text).toContain('A big job')
    expect(text).toContain('Free credits are used before paid ones.')
    expect(text).toContain('Bought: Starter Pack')
    expect(text).toContain('$1.99')
  })

  it('is not there for other users, like one that never was', async () => {
    const { id } = await give(desk.newUser().userId, 10, 'Secret gift')
    for (const path of [`/history/${id}`, '/history/00000000-0000-7000-8000-000000000000', '/history/nonsense']) {
      const { status, body } = await desk.get(path, desk.newUser())
      expect(status).toBe(404)
      expect(body).not.toContain('Secret gift')
    }
  })
})

describe('usage', () => {
  it('has a bar and a line of the table for each day with a use', async () => {
    const user = desk.newUser()
    await give(user.userId, 100, 'Gift')
    await use(user.userId, 40, 'Job')
    const { body } = await desk.get('/usage?type=enrichment&days=7', user)
    expect(words(body)).toMatch(/Used 40 Given back 0/)
    expect(body.match(/<rect\s+class="bar"/g)).toHaveLength(2)
    expect(body).toMatch(/<title>\s*Used per day, [^<]*: 40\s*<\/title>/)
  })

  it('says what to do where nothing was used', async () => {
    expect(words((await desk.get('/usage', desk.newUser())).body)).toContain('credits moved in the last 30 days')
  })
})

const account = (userId: unknown) => ({ userId: String(userId), creditType: 'enrichment' }) as const

function give(userId: unknown, amount: number, description: string) {
  return desk.credits.addCredits({ ...account(userId), amount, description })
}

function use(userId: unknown, amount: number, description: string) {
  return desk.credits.deductCredits({ ...account(userId), amount, description })
}
