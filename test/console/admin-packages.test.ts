import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminDesk, openAdminDesk } from './admin-desk.js'

let desk: AdminDesk

beforeAll(async () => {
  desk = await openAdminDesk()
})

afterAll(() => desk.close())

const SAVE = '/admin/packages/save'
const newName = () => `Pack ${randomUUID()}`
const packagesNamed = async (name: string) =>
  (await desk.credits.marketplace.getPackages({ includeInactive: true })).filter((pack) => pack.name === name)
const draft = (name: string) => ({ name, creditAmount: '250', price: '19.90', currency: 'EUR', description: 'Good' })
const fillIn = async (fields: Record<string, string>) =>
  desk.submit(await desk.open('/admin/packages/new'), SAVE, fields)

describe('the list of packages', () => {
  it('shows those on sale and those that are not, and moves them between', async () => {
    const name = newName()
    await fillIn(draft(name))
    const page = await desk.open('/admin/packages')
    const [made] = await packagesNamed(name)
    expect(page.all('tbody tr')).toContain(`${name} 250 Enrichment €19.90 0 On sale Take off sale`)
    const fields = { token: page.formTo('/admin/packages/sale').token ?? '', id: String(made?.id) }
    const off = await desk.send('/admin/packages/sale', { ...fields, sale: 'off' })
    expect((await desk.follow(off)).all('tbody tr')).toContain(
      `${name} 250 Enrichment €19.90 0 Not on sale Put on sale`,
    )
    await desk.send('/admin/packages/sale', { ...fields, sale: 'on' })
    expect(await packagesNamed(name)).toMatchObject([{ isActive: true }])
    expect(desk.calls.filter((call) => call === 'updatePackage')).toHaveLength(2)
  })
})

describe('making a package', () => {
  it('is shown as customers will see it before anything is saved', async () => {
    const name = `<i>${newName()}</i>`
    const page = await fillIn({ ...draft(name), preview: 'yes' })
    expect(page.status).toBe(200)
    expect(page.all('article')).toEqual([`${name} Good 250 credits €19.90`])
    expect(page.html).not.toContain('<i>Pack')
    expect(page.formTo(SAVE)).toMatchObject(draft(name))
    expect(await packagesNamed(name)).toEqual([])
  })

  it('puts it on sale, once for a double click', async () => {
    const name = newName()
    const form = (await desk.open('/admin/packages/new')).formTo(SAVE)
    const sent = await Promise.all([1, 2].map(() => desk.send(SAVE, { ...form, ...draft(name) })))
    expect(sent.map(({ status }) => status)).toEqual([303, 303])
    expect(await packagesNamed(name)).toMatchObject([
      {
        creditAmount: 250,
        price: 1990,
        currency: 'eur',
        creditType: 'enrichment',
        isActive: true,
        description: 'Good',
      },
    ])
  })

  it('refuses a key that another package has', async () => {
    const packageKey = randomUUID()
    expect((await fillIn({ ...draft(newName()), packageKey })).status).toBe(303)
    const name = newName()
    const refused = await fillIn({ ...draft(name), packageKey })
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('Key: Belongs to another package')
    expect(await packagesNamed(name)).toEqual([])
  })

  it.each([
    [{ price: '19.999' }, 'Price: Must be a price such as 9.99'],
    [{ price: 'free' }, 'Price: Must be a price'],
    [{ price: '0' }, 'Price: Must be at least 1'],
    [{ creditAmount: '-5' }, 'Credits: Amount must be positive'],
    [{ creditAmount: '' }, 'Credits: Amount must be a whole number'],
    [{ currency: 'xyz' }, 'Currency: Must be an ISO 4217 currency code'],
    [{ currency: '<b>' }, 'Currency: Must be an ISO 4217 currency code'],
    [{ name: '' }, 'Name: Must not be blank'],
  ])('refuses %o, when saving and when looking, and keeps what was typed', async (typed, message) => {
    const name = newName()
    for (const more of [{}, { preview: 'yes' }]) {
      const fields = { ...draft(name), ...typed }
      const refused = await fillIn({ ...fields, ...more })
      expect(refused.status).toBe(400)
      expect(refused.text).toContain(message)
      expect(refused.formTo(SAVE)).toMatchObject(fields)
    }
    expect(await packagesNamed(name)).toEqual([])
  })
})

describe('changing a package', () => {
  it('begins with what it is, and changes the same one', async () => {
    const name = newName()
    await fillIn(draft(name))
    const [made] = await packagesNamed(name)
    const page = await desk.open(`/admin/packages/${made?.id}`)
    expect(page.formTo(SAVE)).toMatchObject({
      name,
      price: '19.90',
      currency: 'eur',
      creditAmount: '250',
      isActive: 'yes',
    })
    const renamed = newName()
    const { isActive, ...unticked } = page.formTo(SAVE)
    expect(isActive).toBe('yes')
    const saved = await desk.send(SAVE, { ...unticked, name: renamed, price: '7', description: '' })
    expect(saved.status).toBe(303)
    expect(await packagesNamed(renamed)).toMatchObject([
      { id: made?.id, price: 700, isActive: false, description: null },
    ])
    expect(await packagesNamed(name)).toEqual([])
  })

  it('is not possible of one that is not there', async () => {
    expect((await desk.open('/admin/packages/987654')).status).toBe(404)
    expect((await desk.open('/admin/packages/nonsense')).status).toBe(404)
  })
})

describe('a price as people type it', () => {
  it.each([
    ['9.99', 'usd', 999],
    ['9,99', 'eur', 999],
    ['0.29', 'USD', 29],
    ['1000', 'jpy', 1000],
    ['1.234', 'kwd', 1234],
    ['5', 'isk', 500],
  ])('%s %s is %d minor units, and stands in the form as the same price again', async (price, currency, minor) => {
    const name = newName()
    expect((await fillIn({ ...draft(name), price, currency })).status).toBe(303)
    const [made] = await packagesNamed(name)
    expect(made).toMatchObject({ price: minor, currency: currency.toLowerCase() })
    const page = await desk.open(`/admin/packages/${made?.id}`)
    expect((await desk.submit(page, SAVE)).status).toBe(303)
    expect(await packagesNamed(name)).toMatchObject([{ id: made?.id, price: minor }])
  })

  it.each([
    ['9.999', 'usd'],
    ['9.5', 'jpy'],
    ['-1', 'usd'],
    ['1e3', 'usd'],
    ['1.000,00', 'eur'],
    ['', 'usd'],
    ['٣', 'usd'],
  ])('“%s” is none in %s', async (price, currency) => {
    const refused = await fillIn({ ...draft(newName()), price, currency })
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('Price: Must be a price such as')
  })
})
