import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readTimeline } from '../../adapters/console/admin/timeline.js'
import { type AdminDesk, openAdminDesk } from './admin-desk.js'

let desk: AdminDesk

beforeAll(async () => {
  desk = await openAdminDesk()
})

afterAll(() => desk.close())

const creditType = 'enrichment'
const accountOf = (userId: string) => `/admin/users/account?${new URLSearchParams({ user: userId }).toString()}`
const timelineOf = (userId: string) => `/admin/users/timeline?${new URLSearchParams({ user: userId }).toString()}`
const give = (userId: string, amount = 10) =>
  desk.credits.addCredits({ userId, amount, creditType, description: 'Gift' })

describe('finding users', () => {
  it('lists those whose id begins with a text, with the balance of each type', async () => {
    const name = desk.newUser('find')
    await give(`${name}-a`, 11)
    await give(`${name}-b`, 22)
    const page = await desk.open(`/admin/users?q=${name}`)
    expect(page.all('tbody tr')).toEqual([`${name}-a 11 0 0`, `${name}-b 22 0 0`])
  })

  it('goes on from page to page until all have been shown once', async () => {
    const name = desk.newUser('paged')
    const ids = Array.from({ length: 30 }, (_, index) => `${name}-${String(index).padStart(2, '0')}`)
    for (const userId of ids) await give(userId)
    const first = await desk.open(`/admin/users?q=${name}`)
    const second = await desk.open(first.link('Next'))
    expect([...first.all('tbody th'), ...second.all('tbody th')]).toEqual(ids)
    expect(second.text).toContain('That is all.')
    expect(second.all('.pager a')).toEqual(['Back to the start'])
  })

  it('offers to open somebody without credits all the same', async () => {
    const name = desk.newUser('unknown')
    const page = await desk.open(`/admin/users?q=${name}`)
    expect(page.text).toContain('Nobody found')
    const account = await desk.open(page.link(`Open “${name}” all the same`))
    expect(account.status).toBe(200)
    expect(account.all('h1')).toEqual([name])
    expect(account.text).toContain('Nothing is left of any grant')
  })

  it.each(['..', '.', 'a/b', '<b>mallory</b>', '100 %?&#=', 'o\'hara"', 'ümlaut 🎈'])(
    'opens the page of %s',
    async (userId) => {
      await give(userId, 33)
      const page = await desk.open(accountOf(userId))
      expect(page.status).toBe(200)
      expect(page.all('h1')).toEqual([userId])
      const { text } = await desk.open(page.link('Timeline'))
      expect(text).toContain('+33')
    },
  )
})

describe('a user’s page', () => {
  it('shows balances, grants, holds, the plan and purchases', async () => {
    const userId = desk.newUser()
    await desk.buy(userId)
    await desk.credits.holdCredits({ userId, amount: 7, creditType, description: 'Nightly work' })
    await desk.credits.startPlan({ userId, plan: 'free' })
    const packageId = desk.packageId
    await desk.credits.marketplace.configureAutoTopup({ userId, creditType, threshold: 5, packageId })
    const { text, all } = await desk.open(accountOf(userId))
    expect(all('tbody tr')[0]).toBe('Enrichment 93 100 7 0 100 0 None')
    expect(text).toContain('93 of 100')
    expect(text).toContain('Nightly work')
    expect(text).toContain('10 Calling a month')
    expect(text).toContain('Package 1 when 5 credits or fewer are left')
    expect(text).toContain('Starter Pack Checkout')
    expect(text).toContain('$9.99')
  })

  it('says what is owed after money went back', async () => {
    const userId = desk.newUser()
    const sessionId = await desk.buy(userId)
    await desk.credits.deductCredits({ userId, amount: 100, creditType, description: 'All of it' })
    await desk.stripe.refund({ sessionId })
    const { text } = await desk.open(accountOf(userId))
    expect(text).toContain('100 Enrichment credits are owed')
    expect(text).toContain('Money went back')
  })

  it('refuses what can’t be anybody’s id', async () => {
    expect((await desk.open('/admin/users/account')).status).toBe(400)
    expect((await desk.open('/admin/users/account?user=a%00b')).status).toBe(400)
  })
})

describe('the timeline', () => {
  it('tells of payments, grants, uses, refunds and clawbacks in one list, newest first', async () => {
    const userId = desk.newUser()
    const sessionId = await desk.buy(userId)
    const use = await desk.credits.deductCredits({
      ...{ userId, amount: 30, creditType, description: 'Enriched <i>30</i> leads', actor: 'worker-1' },
    })
    await desk.credits.refundCredits({ transactionId: use.id, amount: 5, reason: 'Five were wrong' })
    await desk.stripe.refund({ sessionId, amount: 333 })
    const page = await desk.open(timelineOf(userId))
    const kinds = page.all('tbody th .badge')
    expect(kinds).toEqual(['Taken back', 'Refund of a use', 'Use', 'Purchase', 'Payment: paid'])
    expect(page.all('tbody tr')[2]).toContain('Enriched <i>30</i> leads By worker-1 −30 70 Explain')
    expect(page.html).not.toContain('<i>30</i>')
    expect(page.all('tbody tr')[4]).toContain('$9.99 $3.33 went back')
  })

  it('shows one credit type where asked to, of payments, too', async () => {
    const userId = desk.newUser()
    await desk.buy(userId)
    await desk.credits.addCredits({ userId, amount: 4, creditType: 'calling', description: 'Minutes' })
    const calling = await desk.open((await desk.open(timelineOf(userId))).link('Calling'))
    expect(calling.all('tbody tr')).toHaveLength(1)
    expect(calling.text).toContain('Minutes')
    const scraping = await desk.open((await desk.open(timelineOf(userId))).link('Scraping'))
    expect(scraping.text).toContain('Nothing has happened yet')
  })

  it('goes on page by page, and shows everything once, also what happens meanwhile in its place', async () => {
    const userId = desk.newUser()
    for (let round = 0; round < 14; round += 1) {
      await desk.buy(userId)
      await desk.credits.deductCredits({ userId, amount: 1, creditType, description: `Round ${round}` })
    }
    const ids: string[] = []
    const moments: string[] = []
    let link: string | null = timelineOf(userId)
    while (link !== null) {
      const page = await desk.open(link)
      ids.push(...page.links('Explain').map((href, index) => `${href} ${page.all('tbody th .badge')[index] ?? ''}`))
      moments.push(...page.all('tbody th .badge'))
      link = page.links('Next')[0] ?? null
      await give(userId, 1)
    }
    expect(ids).toHaveLength(42)
    expect(new Set(ids).size).toBe(42)
    expect(moments.filter((kind) => kind === 'Payment: paid')).toHaveLength(14)
    expect(moments.filter((kind) => kind === 'Use')).toHaveLength(14)
    expect(moments.filter((kind) => kind === 'Purchase')).toHaveLength(14)
  })

  it('refuses places that no list has', async () => {
    const page = await desk.open(`${timelineOf(desk.newUser())}&t=nonsense`)
    expect(page.status).toBe(400)
  })

  it('costs two questions more at most, wherever a page ends', async () => {
    let asked = 0
    const at = (minute: number) => new Date(Date.UTC(2031, 0, 1, 0, minute))
    const run = async (name: string, { limit, cursor }: { limit: number; cursor: string | null }) => {
      asked += 1
      const from = cursor === null ? 99 : Number(cursor)
      const rows = Array.from({ length: limit }, (_, index) => ({
        id: `${name} ${from - index}`,
        createdAt: at(from - index),
        creditType,
      })).filter(({ createdAt }) => createdAt >= at(0))
      return { transactions: rows, purchases: rows, nextCursor: from - limit < 0 ? null : String(from - limit) }
    }
    // The reading uses nothing of a visit but its questions.
    const visit = { run } as unknown as Parameters<typeof readTimeline>[0]
    const place = { transactions: null, purchases: null }
    const { entries, next } = await readTimeline(visit, { userId: 'u', creditType: undefined, place, limit: 5 })
    expect(
      entries.map(({ kind, at: moment }) => `${kind} ${moment.getUTCMinutes() + moment.getUTCHours() * 60}`),
    ).toEqual([...['transaction 99', 'purchase 99', 'transaction 98', 'purchase 98', 'transaction 97']])
    expect(next).toEqual({ transactions: '96', purchases: '97' })
    expect(asked).toBe(4)
  })
})

describe('a transaction’s page', () => {
  it('says which grants paid, why in this order, and what was paid for them', async () => {
    const userId = desk.newUser()
    await desk.buy(userId)
    await give(userId, 10)
    const use = await desk.credits.deductCredits({ userId, amount: 30, creditType, description: 'Thirty' })
    const page = await desk.open(`/admin/users/transactions/${use.id}`)
    const [first, second] = page.all('tbody tr')
    expect(first).toContain('10 – Never None Before the next one, because it was free')
    expect(second).toContain('20 $1.99 Never Starter Pack, $9.99')
    expect(second).toContain('The last one that was needed')
  })

  it('gives a part back, then the rest, and says so', async () => {
    const userId = desk.newUser()
    await give(userId, 50)
    const use = await desk.credits.deductCredits({ userId, amount: 30, creditType, description: 'Thirty' })
    const path = `/admin/users/transactions/${use.id}`
    const done = await desk.submit(await desk.open(path), `${path}/refund`, { amount: '12', reason: 'Twelve failed' })
    expect(done.status).toBe(303)
    const after = await desk.follow(done)
    expect(after.text).toContain('Given back so far 12 Can still be given back 18')
    expect(after.text).toContain('Twelve failed')
    expect(await desk.credits.getBalance(userId, creditType)).toBe(32)
    const rest = await desk.submit(after, `${path}/refund`, { reason: 'The rest' })
    expect((await desk.follow(rest)).text).toContain('All of it has been given back.')
    expect(await desk.credits.getBalance(userId, creditType)).toBe(50)
    const [refund] = await desk.credits.getTransactionHistory(userId, creditType, 1)
    expect(refund).toMatchObject({ actor: 'admin-1', description: 'The rest' })
  })

  it('gives back once for a double click', async () => {
    const userId = desk.newUser()
    await give(userId, 50)
    const use = await desk.credits.deductCredits({ userId, amount: 30, creditType, description: 'Thirty' })
    const path = `/admin/users/transactions/${use.id}`
    const fields = { ...(await desk.open(path)).formTo(`${path}/refund`), amount: '10', reason: 'Ten' }
    const answers = await Promise.all([1, 2].map(() => desk.send(`${path}/refund`, fields)))
    expect(answers.map(({ status }) => status)).toEqual([303, 303])
    expect(await desk.credits.getBalance(userId, creditType)).toBe(30)
  })

  it.each([
    [{ amount: '31', reason: 'Too many' }, 409, 'Only 30 credits of this transaction are left to refund'],
    [{ amount: '-1', reason: 'Negative' }, 400, 'Amount must be positive'],
    [{ amount: '1.5', reason: 'Broken' }, 400, 'whole number'],
    [{ amount: '1', reason: '' }, 400, 'Reason: Please fill this in'],
  ])('refuses %o and keeps what was typed', async (typed, status, message) => {
    const userId = desk.newUser()
    await give(userId, 50)
    const use = await desk.credits.deductCredits({ userId, amount: 30, creditType, description: 'Thirty' })
    const path = `/admin/users/transactions/${use.id}`
    const refused = await desk.submit(await desk.open(path), `${path}/refund`, typed)
    expect(refused.status).toBe(status)
    expect(refused.text).toContain(message)
    expect(refused.formTo(`${path}/refund`)).toMatchObject(typed)
    expect(await desk.credits.getBalance(userId, creditType)).toBe(20)
  })

  it('links a refund to its use, and offers no refund of anything but uses', async () => {
    const userId = desk.newUser()
    await give(userId, 50)
    const use = await desk.credits.deductCredits({ userId, amount: 30, creditType, description: 'Thirty' })
    const refund = await desk.credits.refundCredits({ transactionId: use.id, amount: 1 })
    const page = await desk.open(`/admin/users/transactions/${refund.id}`)
    expect(page.link('Use of 30')).toContain(use.id)
    expect(page.all('form')).toEqual([])
  })

  it('is not there for an id that no transaction has', async () => {
    expect((await desk.open('/admin/users/transactions/nonsense')).status).toBe(404)
  })
})
