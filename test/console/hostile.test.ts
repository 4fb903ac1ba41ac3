import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createConsole, type CreditsConsole } from 'creditkit/console'
import { Window } from 'happy-dom'
import { adminPages } from '../../adapters/console/admin/index.js'
import { customerPages } from '../../adapters/console/customer/index.js'
import { csvDownload } from '../../adapters/console/csv.js'
import type { Page } from '../../adapters/console/frame.js'
import { ADMIN } from '../doors/call-samples.js'
import { type AdminDesk, openAdminDesk } from './admin-desk.js'

/*
 * Every page, every field that it really reads, every text that has broken somebody's page: as an administrator, and as a
 * customer where customers may. What is read is found out by asking, so that no field can be forgotten here.
 */

/** All in one: closes attributes and elements of every kind. */
const BREAKOUT = `zq"'\`></title></textarea></option></script><zq-el zq-attr="1" onclick=zq()>&lt;zq-el&gt;`

const HOSTILE = [
  ...[BREAKOUT, '" zq-attr="1', "' zq-attr='1", 'javascript:zq()', '//evil.example', 'https://evil.example/'],
  ...['\r\nset-cookie: zq=1', '\0', '\ud800', '\u202ezq', '日本語', '__proto__', 'constructor', 'toString', 'valueOf'],
  ...['-1', '0', '1e309', 'NaN', '9007199254740993', '0.1', '٣', ' ', '..', '%00', '%zz', '=1+1', 'x'.repeat(3000)],
  ...['0000-00-00', '0000-01-01', '9999-12-31', '2026-02-30', '+275760-09-13', btoa('[["calling",1]]'), '{}', '[]'],
  ...["'; drop table user_credits; --", '00000000-0000-0000-0000-000000000000'],
]

const BASE = '/credits'
const ORIGIN = 'https://myapp.com'

let desk: AdminDesk
let pages: CreditsConsole
let customer: { userId: string; isAdmin: boolean }
/** What is sent in a field that is not the hostile one, so that a form gets past its other fields. */
let usual: Record<string, string>
const known = new Map<string, string>()

beforeAll(async () => {
  desk = await openAdminDesk()
  pages = createConsole({
    credits: desk.credits,
    authenticate: (_request, native) => native as typeof ADMIN,
    onError: (error) => void broken.push(error),
  })
  const { credits, newUser, buy, packageId } = desk
  customer = { userId: newUser(), isAdmin: false }
  const { userId } = customer
  await buy(userId)
  const about = { userId, creditType: 'enrichment', description: BREAKOUT, actor: BREAKOUT } as const
  const noted = { ...about, referenceId: BREAKOUT, referenceType: BREAKOUT, metadata: { [BREAKOUT]: BREAKOUT } }
  const use = await credits.deductCredits({ ...noted, amount: 2 })
  const grant = await credits.addCredits({ ...noted, amount: 2 })
  const hold = await credits.holdCredits({ ...noted, amount: 2 })
  const pack = { name: BREAKOUT, description: BREAKOUT, price: 999, creditAmount: 1, creditType: 'calling' } as const
  await credits.marketplace.createPackage({ ...pack, metadata: { zq: BREAKOUT } })
  known.set('transactionId', use.id).set('subscriptionId', 'sub_1').set('id', String(packageId))
  usual = {
    ...{ user: userId, userId, q: userId, type: 'enrichment', creditType: 'enrichment', kind: '', days: '30' },
    ...{ grant: grant.id, hold: hold.id, id: String(packageId), packageId: String(packageId), quantity: '1' },
    ...{ amount: '1', description: 'By hand', reason: 'By hand', name: 'Pack', price: '9.99', currency: 'usd' },
    ...{ creditAmount: '5', threshold: '5', sale: 'off', from: '2026-11-20', to: '2026-11-20', sortOrder: '0' },
  }
})
afterAll(() => desk.close())
afterEach(() => vi.restoreAllMocks())

const before = Reflect.ownKeys(Object.prototype)
const broken: unknown[] = []
const PAGES: readonly Page[] = [...customerPages, ...adminPages]

/**
 * Each text in some fields of each page, and in all of them with `npm run test:long`. A run of the reconciliation asks the
 * provider for a month, and administrators see a customer's pages as customers do: these take a smaller share.
 */
function textsFor({ method, path, role }: Page, { isAdmin }: typeof ADMIN, field: number): readonly string[] {
  const isRun = method === 'POST' && path.startsWith('/admin/reconcile')
  const share = isRun || (isAdmin && role === 'user') ? 6 : process.env.TEST_HISTORIES === undefined ? 3 : 1
  return HOSTILE.filter((_, index) => index === 0 || index % share === field % share)
}

interface Shown {
  status: number
  headers: Headers
  body: string
}

/** The fields that pages read while `work` runs. */
async function fieldsReadBy(work: () => Promise<unknown>): Promise<Set<string>> {
  const asked = vi.spyOn(URLSearchParams.prototype, 'get')
  await work()
  const names = new Set(asked.mock.calls.map(([name]) => name))
  asked.mockRestore()
  return names
}

async function ask(path: string, person: typeof ADMIN, body: URLSearchParams | null = null): Promise<Shown> {
  const init = body === null ? {} : { method: 'POST', body, headers: { origin: ORIGIN } }
  const response = await pages(new Request(`${ORIGIN}${BASE}${path}`, init), person)
  return { status: response.status, headers: response.headers, body: await response.text() }
}

async function visit(page: Page, fields: Record<string, string>, person: typeof ADMIN): Promise<Shown> {
  const path = page.path
    .replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent((fields[`{${name}}`] ?? known.get(name) ?? 'x').toWellFormed()),
    )
    .replace(/^\/$/, '')
  const own = new URLSearchParams(Object.entries(fields).filter(([name]) => !name.startsWith('{')))
  if (page.method === 'GET') return ask(`${path}?${own.toString()}`, person)
  own.set('token', await tokenOf(person))
  return ask(path, person, own)
}

const tokens = new Map<string, string>()
async function tokenOf(person: typeof ADMIN): Promise<string> {
  const kept = tokens.get(person.userId)
  if (kept !== undefined) return kept
  const { body } = await ask('/auto-topup', person)
  const [, token = ''] = /name="token" value="(\w+)"/.exec(body) ?? []
  tokens.set(person.userId, token)
  return token
}

/** What is wrong with an answer; null: nothing. */
function problemOf({ status, headers, body }: Shown): string | null {
  if (status >= 500) return `${status}`
  // With quotes and brackets of their own, which text has none of.
  const isPage = headers.get('content-type')?.startsWith('text/html') === true
  if (isPage && /<zq|zq-attr=["']|onclick=zq\(\)>|(href|src|action|content)="(\d;url=)?javascript:/i.test(body))
    return 'markup'
  for (const [name, value] of headers) {
    if (name === 'set-cookie' || value.includes('\n')) return `header ${name}`
  }
  const location = headers.get('location')
  return location === null || location.startsWith(BASE) ? null : `leads to ${location}`
}

/** Elements and attributes that only the hostile text could have made. */
async function madeBy(body: string): Promise<string[]> {
  const { document, happyDOM } = new Window()
  document.write(body)
  const made = [...document.querySelectorAll('*')].flatMap((element) =>
    [element.tagName.toLowerCase(), ...element.getAttributeNames()].filter((name) => /^(zq|on[a-z])/.test(name)),
  )
  await happyDOM.close()
  return made
}

describe.each([
  ['an administrator', () => ADMIN, PAGES],
  ['a customer', () => customer, customerPages],
] as const)('as %s', (_, who, open) => {
  it.each(open.map((page) => [`${page.method} ${page.path}`, page] as const))(
    '%s takes every text for text',
    async (_name, page) => {
      const person = who()
      const key = () => crypto.randomUUID()
      const placed = [...page.path.matchAll(/\{\w+\}/g)].map(([name]) => name)
      const read = await fieldsReadBy(() => visit(page, { ...usual, key: key() }, person))
      const fields = [...read, ...placed].filter((name) => name !== 'token' && name !== 'v')
      const wrong: string[] = []
      for (const [index, field] of fields.entries()) {
        for (const value of textsFor(page, person, index)) {
          const shown = await visit(page, { ...usual, key: key(), [field]: value }, person)
          const problem = problemOf(shown)
          if (problem !== null) wrong.push(`${field} = ${JSON.stringify(value.slice(0, 40))}: ${problem}`)
        }
      }
      const all = Object.fromEntries(fields.map((field) => [field, BREAKOUT]))
      expect(await madeBy((await visit(page, all, person)).body)).toEqual([])
      expect(await madeBy((await visit(page, { ...usual, key: key() }, person)).body)).toEqual([])
      expect(wrong).toEqual([])
      expect(broken).toEqual([])
    },
  )

  it('leaves the books in order', async () => {
    expect((await desk.credits.verify()).violations).toEqual([])
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before)
  })
})

describe('a way back', () => {
  it('leads to a page of ours, whatever was asked for', async () => {
    const own = await openAdminDesk({}, { signInUrl: '/sign-in' })
    const asked = [
      '/history?return=//evil.example',
      '/history?%0d%0aset-cookie:zq=1',
      '/history?q=日本語',
      '/buy?x=%00',
    ]
    for (const path of asked) {
      const { headers } = await own.open(path, null)
      const location = new URL(headers.get('location') ?? '', ORIGIN)
      expect(location.href.startsWith(`${ORIGIN}/sign-in?return=`)).toBe(true)
      const back = new URL(location.searchParams.get('return') ?? '', ORIGIN)
      expect([back.origin, back.pathname.startsWith(`${BASE}/`)]).toEqual([ORIGIN, true])
      expect(headers.has('set-cookie')).toBe(false)
    }
    await own.close()
  })

  it('is an address that headers can hold, or the console does not open', async () => {
    const open = (signInUrl: string) => openAdminDesk({}, { signInUrl })
    const own = await open('/登录?from=a b')
    const { headers, status } = await own.open('/history', null)
    expect(status).toBe(303)
    expect(headers.get('location')).toMatch(/^\/%E7%99%BB%E5%BD%95\?from=a%20b&return=%2Fcredits%2Fhistory$/)
    await own.close()
  })
})

describe('a credit type', () => {
  it('that every object has by name is none of ours', async () => {
    for (const creditType of ['constructor', 'toString', '__proto__']) {
      const fields = { user: customer.userId, creditType, amount: '1', description: 'By hand' }
      const page = adminPages.find(({ method, path }) => method === 'POST' && path === '/admin/users/adjust')
      if (page === undefined) throw new Error('there is no page to adjust')
      const { status, body } = await visit(page, fields, ADMIN)
      expect(status).toBe(400)
      expect(body).toContain('Is none of the credit types')
    }
  })
})

describe('a download', () => {
  it('has a name that begins no other header', () => {
    const names = ['a"; filename="b.exe', 'a\r\nset-cookie: zq=1', '../../x', 'é', '日本語']
    for (const name of names) {
      const { headers } = csvDownload(name, [], noPages())
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename="[\w-]+\.csv"$/)
      expect(headers.has('set-cookie')).toBe(false)
    }
  })
})

async function* noPages(): AsyncGenerator<string, void> {
  // There is nothing to save.
}
