import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { createConsole } from 'creditkit/console'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminPages } from '../../adapters/console/admin/index.js'
import { customerPages } from '../../adapters/console/customer/index.js'
import { FormTokens } from '../../adapters/console/form-token.js'
import type { Page } from '../../adapters/console/frame.js'
import { ADMIN, type CustomerDesk, hiddenFields, openCustomerDesk, ORIGIN, words } from './customer-desk.js'

let desk: CustomerDesk

beforeAll(async () => {
  desk = await openCustomerDesk()
})

afterAll(() => desk.close())

const PAGES: readonly Page[] = [...customerPages, ...adminPages]
const pathOf = ({ path }: Page) => path.replaceAll(/\{\w+\}/g, 'some-id').replace(/^\/$/, '')
const nameOf = ({ method, path }: Page) => `${method} ${path}`
const ask = (page: Page, caller: typeof ADMIN | null) =>
  page.method === 'GET' ? desk.get(pathOf(page), caller) : desk.post(pathOf(page), caller, {})

describe('who may open what', () => {
  it.each(PAGES.map((page) => [nameOf(page), page] as const))(
    '%s is not for people who are not signed in',
    async (_, page) => {
      const { status, body } = await ask(page, null)
      expect(status).toBe(401)
      expect(words(body)).toContain('Please sign in')
    },
  )

  it.each(adminPages.map((page) => [nameOf(page), page] as const))('%s is not for users', async (_, page) => {
    const { status, body } = await ask(page, desk.newUser())
    expect(status).toBe(403)
    expect(words(body)).toContain('Not allowed')
    expect(body).not.toContain('Administration')
  })

  it.each(customerPages.filter(({ nav }) => nav !== undefined).map((page) => [nameOf(page), page] as const))(
    '%s opens for a user and for an administrator',
    async (_, page) => {
      expect((await ask(page, desk.newUser())).status).toBe(200)
      expect((await ask(page, ADMIN)).status).toBe(200)
    },
  )

  it('takes only a real `true` for an administrator', async () => {
    const [page] = adminPages
    if (page === undefined) {
      expect(adminPages).toEqual([])
      return
    }
    const almost = { userId: 'almost', isAdmin: 'true' as unknown as boolean }
    expect((await ask(page, almost)).status).toBe(403)
  })

  it('takes an answer without a usable id for nobody', async () => {
    for (const userId of ['', '  ', undefined, null, Number.NaN, {}])
      expect((await desk.get('', { userId: userId as string, isAdmin: true })).status).toBe(401)
  })

  it('sends people who are not signed in to the sign-in page, and back to where they wanted to go', async () => {
    const own = await openCustomerDesk({ signInUrl: '/sign-in?from=credits#form' })
    const { status, headers } = await own.get('/history?kind=usage', null)
    expect(status).toBe(303)
    const wanted = encodeURIComponent('/credits/history?kind=usage')
    expect(headers.get('location')).toBe(`/sign-in?from=credits&return=${wanted}#form`)
    const form = await own.post('/buy', null, {})
    expect(form.status).toBe(401)
    expect(form.body).toContain('href="/sign-in?from=credits#form"')
    await own.close()
  })
})

describe('addresses', () => {
  it('answers what is not there with a page, signed in or not', async () => {
    for (const caller of [null, desk.newUser()]) {
      const { status, body } = await desk.get('/nothing/here', caller)
      expect(status).toBe(404)
      expect(words(body)).toContain('There is no such page')
    }
  })

  it('says which methods a page has', async () => {
    const { status, headers } = await desk.post('/history', desk.newUser(), {})
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe('GET')
  })

  it('answers HEAD like GET, without the page', async () => {
    const answer = createConsole({ credits: desk.credits, authenticate: () => desk.newUser() })
    const response = await answer(new Request(`${ORIGIN}/credits/usage`, { method: 'HEAD' }))
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })

  it('does not answer for its neighbours', async () => {
    const answer = createConsole({ credits: desk.credits, authenticate: () => desk.newUser() })
    expect((await answer(new Request(`${ORIGIN}/creditsandmore`))).status).toBe(404)
  })

  it('stands below any path, and its links with it', async () => {
    const answer = createConsole({ credits: desk.credits, authenticate: () => desk.newUser(), basePath: '/app/money/' })
    const body = await (await answer(new Request(`${ORIGIN}/app/money`))).text()
    expect(body).toContain('href="/app/money/history"')
    expect(body).not.toContain('"/credits')
  })

  it('survives addresses that are no text', async () => {
    expect((await desk.get('/history/%ff', desk.newUser())).status).toBe(404)
    expect((await desk.get('/history/%00', desk.newUser())).status).toBe(404)
  })
})

describe('every answer', () => {
  const answers = async () => {
    const user = desk.newUser()
    return {
      page: await desk.get('', user),
      css: await desk.get('/console.css', null),
      csv: await desk.get('/history.csv', user),
      unknown: await desk.get('/nope', user),
      signedOut: await desk.get('', null),
      form: await desk.post('/buy', user, {}),
    }
  }

  it('forbids scripts, frames, foreign forms and guessing of types', async () => {
    for (const { headers } of Object.values(await answers())) {
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      )
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('same-origin')
      expect(headers.get('x-request-id')).toMatch(/^[\w.:-]+$/)
    }
  })

  it('is kept by nobody, but for the style under the address of its content', async () => {
    const { css, ...others } = await answers()
    for (const { headers } of Object.values(others)) expect(headers.get('cache-control')).toBe('no-store')
    expect(css.headers.get('cache-control')).toBe('no-cache')
    const [, address = ''] = /href="\/credits(\/console\.css\?v=\w+)"/.exec(others.page.body) ?? []
    const kept = await desk.get(address, null)
    expect(kept.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(kept.headers.get('content-type')).toBe('text/css; charset=utf-8')
    expect(kept.body).toBe(css.body)
  })

  it('needs no script and no inline style, as the policy allows neither', async () => {
    for (const page of customerPages.filter(({ method }) => method === 'GET')) {
      const { body } = await desk.get(pathOf(page), desk.newUser())
      expect(body).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=|javascript:/i)
    }
  })

  it('keeps the request id a proxy gave, and no other text', async () => {
    const user = desk.newUser()
    expect((await desk.get('', user, { 'x-request-id': 'req-17' })).headers.get('x-request-id')).toBe('req-17')
    const odd = await desk.get('', user, { 'x-request-id': '<b>' })
    expect(odd.headers.get('x-request-id')).not.toBe('<b>')
  })

  it('says only what it was made to say', async () => {
    const { body } = await desk.get('?notice=%3Cb%3EPay%20Eve%3C%2Fb%3E', desk.newUser())
    expect(body).not.toContain('Pay Eve')
    expect(words((await desk.get('?notice=saved', desk.newUser())).body)).toContain('Saved.')
    expect((await desk.get('?notice=constructor', desk.newUser())).body).not.toContain('role="status"')
  })
})

describe('forms', () => {
  it('are refused without their token, with another user’s, and with one that was made up', async () => {
    const [user, other] = [desk.newUser(), desk.newUser()]
    const theirs = hiddenFields((await desk.get('/buy', other)).body, '/buy')
    for (const token of [undefined, '', theirs.token, '0'.repeat(64)]) {
      const fields = { ...theirs, packageId: String(desk.packageId), quantity: '1' }
      const { status, body } = await desk.post('/buy', user, token === undefined ? fields : { ...fields, token })
      expect(status).toBe(403)
      expect(words(body)).toContain('This form is too old')
    }
    expect((await desk.credits.marketplace.getPurchases({ userId: user.userId })).purchases).toEqual([])
  })

  it('are refused from other sites, also with the right token', async () => {
    const user = desk.newUser()
    const fields = hiddenFields((await desk.get('/buy', user)).body, '/buy')
    for (const headers of [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
    ]) {
      const { status } = await desk.post('/buy', user, fields, { ...headers })
      expect(status).toBe(403)
    }
  })

  it('are accepted from the origins the host names', async () => {
    const own = await openCustomerDesk({ allowedOrigins: ['https://shop.example.org'] })
    const user = own.newUser()
    const fields = { ...hiddenFields((await own.get('/buy', user)).body, '/buy'), quantity: '1' }
    const { status } = await own.post('/buy', user, fields, { origin: 'https://shop.example.org' })
    expect(status).toBe(200)
    await own.close()
  })

  it('are refused when they are no forms, or larger than any of ours', async () => {
    const user = desk.newUser()
    const json = await desk.post('/buy', user, {}, { 'content-type': 'application/json' })
    expect(json.status).toBe(415)
    const large = await desk.post('/buy', user, { token: 'x'.repeat(70_000) })
    expect(large.status).toBe(413)
  })

  it('stay good over midnight, and no longer', async () => {
    const tokens = new FormTokens('a secret of the host')
    const at = (iso: string) => new Date(iso)
    const token = await tokens.make('ada', at('2026-11-23T23:59:00Z'))
    expect(await tokens.isValid(token, 'ada', at('2026-11-24T00:01:00Z'))).toBe(true)
    expect(await tokens.isValid(token, 'ada', at('2026-11-25T00:00:00Z'))).toBe(false)
    expect(await tokens.isValid(token, 'eve', at('2026-11-24T00:01:00Z'))).toBe(false)
    expect(await new FormTokens('another secret').isValid(token, 'ada', at('2026-11-23T23:59:00Z'))).toBe(false)
  })

  it('can be sent to any process that has the secret, and without one only to the same', async () => {
    const user = desk.newUser()
    const open = (secret?: string) => createConsole({ credits: desk.credits, authenticate: () => user, secret })
    const sendTo = async (from: ReturnType<typeof open>, to: ReturnType<typeof open>) => {
      const page = await (await from(new Request(`${ORIGIN}/credits/auto-topup`))).text()
      const body = new URLSearchParams(hiddenFields(page, '/auto-topup/card'))
      const answer = await to(new Request(`${ORIGIN}/credits/auto-topup/card`, { method: 'POST', body }))
      return answer.status
    }
    expect(await sendTo(open('the same secret twice'), open('the same secret twice'))).toBe(200)
    expect(await sendTo(open(), open())).toBe(403)
  })
})

describe('what goes wrong', () => {
  it('is told to the host, and to people only by its id', async () => {
    const failing = Object.assign(memoryStore(), {
      readBalances: () => Promise.reject(new Error('password=hunter2 at 10.0.0.7')),
    })
    const told: unknown[] = []
    const credits = new CreditService({ store: failing })
    const answer = createConsole({
      ...{ credits, authenticate: () => desk.newUser(), onError: (error, call) => told.push({ error, ...call }) },
    })
    const response = await answer(new Request(`${ORIGIN}/credits`, { headers: { 'x-request-id': 'req-42' } }))
    const body = await response.text()
    expect(response.status).toBe(500)
    expect(words(body)).toContain('req-42')
    expect(body).not.toMatch(/hunter2|10\.0\.0\.7/)
    expect(told).toEqual([expect.objectContaining({ path: '/credits', requestId: 'req-42' })])
    await credits.close()
  })

  it('is a page also when finding out who calls goes wrong', async () => {
    const told: unknown[] = []
    const answer = createConsole({
      credits: desk.credits,
      authenticate: () => Promise.reject(new Error('session store is down')),
      onError: (error) => told.push(error),
    })
    const response = await answer(new Request(`${ORIGIN}/credits`))
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('session store')
    expect(told).toHaveLength(1)
  })

  it('refuses options that can’t be meant', () => {
    const open = (options: object) => () =>
      createConsole({ credits: desk.credits, authenticate: () => null, ...options })
    expect(open({ basePath: 'credits' })).toThrow(/basePath must be a path/)
    expect(open({ basePath: '//evil' })).toThrow(/basePath/)
    expect(open({ homeUrl: 'javascript:alert(1)' })).toThrow(/homeUrl must be a path or an http/)
    expect(open({ signInUrl: '//evil.example' })).toThrow(/signInUrl/)
    expect(open({ accentColor: 'red;}' })).toThrow(/accentColor/)
    expect(open({ secret: 'short' })).toThrow(/at least 16 characters/)
    expect(open({ timeZone: 'Mars/Olympus' })).toThrow(RangeError)
  })
})
