import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminDesk, openAdminDesk } from './admin-desk.js'

/* What administrators change of a user's credits. */

let desk: AdminDesk

beforeAll(async () => {
  desk = await openAdminDesk({}, { timeZone: 'Europe/Berlin' })
})

afterAll(() => desk.close())

const creditType = 'enrichment'
const balanceOf = (userId: string) => desk.credits.getBalance(userId, creditType)
const add = (userId: string, amount: number) =>
  desk.credits.addCredits({ userId, amount, creditType, description: 'Gift' })
const pathOf = (page: string, query: Record<string, string>) =>
  `/admin/users/${page}?${new URLSearchParams(query).toString()}`

const GIVE = '/admin/users/give'
const ADJUST = '/admin/users/adjust'
const CONFIRM = `${ADJUST}/confirm`

describe('giving credits', () => {
  it('adds a grant of the chosen kind that can be used until the end of a day where the console is', async () => {
    const userId = desk.newUser()
    const given = await desk.submit(await desk.open(pathOf('give', { user: userId })), GIVE, {
      ...{ amount: '40', kind: 'promotional', expiresAt: '2031-07-01', description: 'For the outage' },
    })
    expect(given.status).toBe(303)
    expect((await desk.follow(given)).text).toContain('For the outage +40 Enrichment credits')
    const [grant] = await desk.credits.getGrants(userId)
    expect(grant).toMatchObject({ amount: 40, source: 'promotional', expiresAt: new Date('2031-07-01T22:00:00Z') })
    const [transaction] = await desk.credits.getTransactionHistory(userId)
    expect(transaction).toMatchObject({ transactionType: 'adjustment', actor: 'admin-1' })
  })

  it('counts what was paid for outside of the shop as a purchase', async () => {
    const userId = desk.newUser()
    const fields = { amount: '5', kind: 'purchase', description: 'Invoice 17' }
    await desk.submit(await desk.open(pathOf('give', { user: userId })), GIVE, fields)
    const balance = (await desk.credits.getAllBalances(userId)).enrichment
    expect(balance).toMatchObject({ balance: 5, paid: 5, totalPurchased: 5, nextExpiry: null })
  })

  it('does it once for a double click', async () => {
    const userId = desk.newUser()
    const form = (await desk.open(pathOf('give', { user: userId }))).formTo(GIVE)
    const sent = await Promise.all([1, 2].map(() => desk.send(GIVE, { ...form, amount: '40', description: 'Once' })))
    expect(new Set(sent.map(({ headers }) => headers.get('location'))).size).toBe(1)
    expect(await balanceOf(userId)).toBe(40)
  })

  it.each([
    [{ amount: '0' }, 'Credits: Amount must be positive'],
    [{ amount: '' }, 'Credits: Amount must be a whole number'],
    [{ amount: '1e3x' }, 'Credits: Amount must be a whole number'],
    [{ description: '' }, 'Reason: Please fill this in'],
    [{ expiresAt: '2031-02-30' }, 'Can be used until: Must be a day'],
    [{ creditType: 'nonsense' }, 'Credit type'],
  ])('refuses %o, writes nothing and keeps what was typed', async (typed, message) => {
    const userId = desk.newUser()
    const fields = { amount: '10', description: '<b>Why</b>', ...typed }
    const refused = await desk.submit(await desk.open(pathOf('give', { user: userId })), GIVE, fields)
    expect(refused.status).toBe(400)
    expect(refused.text).toContain(message)
    expect(refused.html).not.toContain('<b>Why</b>')
    expect(refused.formTo(GIVE).description).toBe(fields.description)
    expect(await balanceOf(userId)).toBe(0)
  })

  it('takes no key but the form’s own', async () => {
    const userId = desk.newUser()
    const fields = { amount: '10', description: 'Mine', key: 'somebody-elses' }
    const refused = await desk.submit(await desk.open(pathOf('give', { user: userId })), GIVE, fields)
    expect(refused.status).toBe(400)
    expect(await balanceOf(userId)).toBe(0)
  })
})

describe('adjusting a balance', () => {
  const look = async (userId: string, fields: Record<string, string>) =>
    desk.submit(await desk.open(pathOf('adjust', { user: userId })), ADJUST, {
      description: 'Counted twice',
      ...fields,
    })

  it('shows before and after, and changes nothing until that is confirmed', async () => {
    const userId = desk.newUser()
    await add(userId, 50)
    const page = await look(userId, { amount: '-20' })
    expect(page.text).toContain('Available before 50 Change −20 Available after 30 Reason Counted twice')
    expect(page.text).toContain('Take 20 credits')
    expect(await balanceOf(userId)).toBe(50)
    const done = await desk.submit(page, CONFIRM)
    expect(done.status).toBe(303)
    expect((await desk.follow(done)).text).toContain('Counted twice')
    expect(await balanceOf(userId)).toBe(30)
    const [transaction] = await desk.credits.getTransactionHistory(userId)
    expect(transaction).toMatchObject({ amount: -20, actor: 'admin-1', transactionType: 'adjustment' })
  })

  it('does it once for a double click', async () => {
    const userId = desk.newUser()
    const form = (await look(userId, { amount: '+15' })).formTo(CONFIRM)
    const sent = await Promise.all([1, 2].map(() => desk.send(CONFIRM, form)))
    expect(sent.map(({ status }) => status)).toEqual([303, 303])
    expect(await balanceOf(userId)).toBe(15)
  })

  it('goes back to the form with all that was typed', async () => {
    const userId = desk.newUser()
    const page = await look(userId, { amount: '15', description: 'Not <sure>', creditType: 'calling' })
    const back = await desk.send(ADJUST, { ...page.formTo(CONFIRM), back: 'yes' })
    expect(back.status).toBe(200)
    expect(back.formTo(ADJUST)).toMatchObject({ amount: '15', description: 'Not <sure>', creditType: 'calling' })
  })

  it.each([
    [{ amount: '-51' }, 'Change: Only 50 credits can be taken'],
    [{ amount: '0' }, 'Change: Amount must not be zero'],
    [{ amount: 'many' }, 'Change: Amount must be a whole number'],
    [{ amount: '5', description: '' }, 'Reason: Say why'],
    [{ amount: '5', creditType: 'nonsense' }, 'Credit type: Is none of the credit types'],
  ])('refuses %o', async (typed, message) => {
    const userId = desk.newUser()
    await add(userId, 50)
    const refused = await look(userId, typed)
    expect(refused.status).toBe(400)
    expect(refused.text).toContain(message)
    expect(await balanceOf(userId)).toBe(50)
  })

  it('is refused by the service where the credits went meanwhile', async () => {
    const userId = desk.newUser()
    await add(userId, 50)
    const page = await look(userId, { amount: '-50' })
    await desk.credits.deductCredits({ userId, amount: 10, creditType, description: 'Meanwhile' })
    const refused = await desk.submit(page, CONFIRM)
    expect(refused.status).toBe(402)
    expect(refused.text).toContain('Required: 50, Available: 40')
    expect(await balanceOf(userId)).toBe(40)
  })

  it('says that what is owed is repaid first', async () => {
    const userId = desk.newUser()
    const sessionId = await desk.buy(userId)
    await desk.credits.deductCredits({ userId, amount: 100, creditType, description: 'All' })
    await desk.stripe.refund({ sessionId })
    expect((await look(userId, { amount: '40' })).text).toContain(
      'Available before −100 Change +40 Available after −60',
    )
    const enough = await look(userId, { amount: '130' })
    expect(enough.text).toContain('Available after At least 30')
    expect(enough.text).toContain('100 credits are owed')
    await desk.submit(enough, CONFIRM)
    expect(await balanceOf(userId)).toBe(30)
  })
})

describe('ending a grant', () => {
  const VOID = '/admin/users/void'

  it('asks once more with what will be gone, wants a reason, and does it once', async () => {
    const userId = desk.newUser()
    await add(userId, 50)
    const account = await desk.open(pathOf('account', { user: userId }))
    const page = await desk.open(account.link('End'))
    expect(page.text).toContain('50 credits will be gone')
    const unexplained = await desk.submit(page, VOID, { reason: ' ' })
    expect(unexplained.status).toBe(400)
    expect(unexplained.text).toContain('Reason: Please fill this in')
    expect(await balanceOf(userId)).toBe(50)
    const fields = { ...unexplained.formTo(VOID), reason: 'By mistake' }
    expect((await desk.send(VOID, fields)).status).toBe(303)
    expect((await desk.send(VOID, fields)).status).toBe(303)
    expect(await balanceOf(userId)).toBe(0)
    const history = await desk.credits.getTransactionHistory(userId)
    expect(history.map(({ transactionType, description, actor }) => [transactionType, description, actor])).toEqual([
      ['void', 'By mistake', 'admin-1'],
      ['adjustment', 'Gift', null],
    ])
  })

  it('knows no grant that is another user’s, closed or made up', async () => {
    const [userId, other] = [desk.newUser(), desk.newUser()]
    await add(other, 50)
    const [grant] = await desk.credits.getGrants(other)
    expect((await desk.open(pathOf('void', { user: userId, grant: grant?.id ?? '' }))).status).toBe(404)
    expect((await desk.open(pathOf('void', { user: userId, grant: randomUUID() }))).status).toBe(404)
  })
})

describe('releasing a hold', () => {
  it('asks once more, gives the credits back, and a second click finds it done', async () => {
    const userId = desk.newUser()
    await add(userId, 50)
    await desk.credits.holdCredits({ userId, amount: 20, creditType, description: 'Work <in> progress' })
    const account = await desk.open(pathOf('account', { user: userId }))
    const page = await desk.open(account.link('Release'))
    expect(page.text).toContain('For Work <in> progress Credit type Enrichment Held 20')
    expect(await balanceOf(userId)).toBe(30)
    const fields = page.formTo('/admin/users/release')
    const answers = [await desk.send('/admin/users/release', fields), await desk.send('/admin/users/release', fields)]
    expect(answers.map(({ status }) => status)).toEqual([303, 303])
    expect(await balanceOf(userId)).toBe(50)
  })
})
