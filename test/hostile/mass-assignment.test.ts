import { createServer } from 'node:http'
import { CreditService } from 'creditkit'
import { createCreditsApi } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import { memoryStore } from 'creditkit/adapters/memory'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiHandler } from '../../adapters/express.js'
import { inputSchema } from '../../src/api/json-schemas.js'
import { procedureTable } from '../../src/api/procedures.js'
import { type ProcedureName, ROUTES } from '../../src/api/routes.js'
import { ADMIN, BUYER, openShop, OTHER, type Shop } from '../doors/call-samples.js'
import { answerOf, callerOf, restRequest } from '../doors/rest-call.js'
import { listen } from '../mounts/support.js'

/* Fields that nobody asked for: what is the host's to say, a client can't. */

const NAMES = Object.keys(ROUTES) as ProcedureName[]

/** Says who did it, where it is written, or what it costs and brings. */
const HOSTS_TO_SAY = {
  ...{ actor: 'mallory', tx: { execute: 'x' }, isAdmin: true, role: 'admin', caller: ADMIN, source: 'purchase' },
  ...{ transactionType: 'purchase', balance: 1e6, balanceAfter: 1e6, seq: 1, createdAt: '2020-01-01T00:00:00Z' },
  ...{ paidAmount: 1e6, customerId: 'cus_1', metadata_: {}, stripeAccount: 'acct_1', __proto__x: 1 },
}

describe('what a procedure takes', () => {
  it.each(NAMES)('of %s has no field that is the host’s to say', (name) => {
    const { role, input } = procedureTable()[name]
    const fields = Object.keys(inputSchema(input).properties ?? {})
    for (const field of ['actor', 'tx', 'isAdmin', 'role', 'caller']) expect(fields).not.toContain(field)
    // Users speak of themselves: whose credits it is about, what they cost and how many there are is not theirs to say.
    const ofUsers = ['userId', 'price', 'amount', 'creditAmount', 'currency', 'customerId', 'metadata']
    if (role !== 'admin') for (const field of ofUsers) expect(fields).not.toContain(field)
  })
})

describe('fields beside those', () => {
  let shop: Shop
  beforeAll(async () => {
    shop = await openShop()
  })
  afterAll(() => shop.close())

  it('change nothing for the user they name, nor for the one who sends them', async () => {
    const api = createCreditsApi(shop.credits, { authenticate: callerOf })
    const figures = () => Promise.all([BUYER, OTHER].map(({ userId }) => shop.credits.getAllBalances(userId)))
    const before = await figures()
    const foreign = { userId: OTHER.userId, price: 1, amount: 1e6, creditAmount: 1e6, credits: 1e6, currency: 'jpy' }
    for (const name of NAMES.filter((each) => procedureTable()[each].role === 'user')) {
      const input = { ...foreign, ...HOSTS_TO_SAY, ...shop.samples[name] }
      const { status, body } = await answerOf(await api(restRequest(name, input, BUYER)))
      expect([name, status]).toEqual([name, 200])
      expect(JSON.stringify(body)).not.toContain(OTHER.userId)
    }
    expect(await figures()).toEqual(before)
  })

  it('are not what an administrator is recorded with', async () => {
    const api = createCreditsApi(shop.credits, { authenticate: callerOf })
    const input = { ...HOSTS_TO_SAY, userId: 'ann', amount: 2, creditType: 'calling', description: 'By hand' }
    const { body } = await answerOf(await api(restRequest('adjustCredits', input, ADMIN)))
    expect(body).toMatchObject({ actor: ADMIN.userId, transactionType: 'adjustment', balanceAfter: 2, seq: 1 })
  })
})

describe('a form that a parser has made objects of', () => {
  it('brings its texts, and breaks nothing', async () => {
    const credits = new CreditService({ store: memoryStore() })
    const errors: unknown[] = []
    const pages = createConsole({ credits, authenticate: () => ADMIN, onError: (error) => errors.push(error) })
    const app = express().use(express.urlencoded({ extended: true }), apiHandler(pages))
    const server = await listen(createServer(app))
    const send = (body: string) =>
      fetch(new URL('/credits/admin/users/adjust', server.url), {
        ...{ method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      })
    const page = await (await fetch(new URL('/credits/admin/users/adjust?user=ann', server.url))).text()
    const [, token = ''] = /name="token" value="(\w+)"/.exec(page) ?? []
    const hostile = [
      'a[toString]=x',
      'a[valueOf][b]=1&a[toString]=2',
      'a[]=1&a[]=2',
      '__proto__[x]=1',
      'user[x]=1',
      'a[b][c]=1',
    ]
    for (const more of hostile) {
      const answer = await send(`token=${token}&amount=1&creditType=calling&description=x&user=ann&${more}`)
      expect([more, answer.status]).toEqual([more, 200])
      await answer.text()
    }
    expect(errors).toEqual([])
    expect(Reflect.get({}, 'x')).toBeUndefined()
    await server.close()
    await credits.close()
  })
})
