import { afterEach, describe, expect, it } from 'vitest'
import type { CreditServiceOptions } from '../../src/index.js'
import { closePaying, gate, PAID_MOUNTS, paying } from './paying.js'
import { send } from './support.js'

afterEach(closePaying)

const operations: NonNullable<CreditServiceOptions['operations']> = {
  transcribe: { creditType: 'calling', cost: { unit: 'minutes', credits: 2 } },
}

describe.each(Object.keys(PAID_MOUNTS))('requireCredits in %s', (name) => {
  it('charges what was held once the handler has answered, and the answer arrives as it was given', async () => {
    const headers: [string, string][] = [
      ['x-own', 'kept'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]
    const { call, settled, userId, credits } = await paying(name, ({ hold }) => {
      expect(hold).toMatchObject({ amount: 60, status: 'open', description: 'POST /enrich' })
      return { status: 201, headers, body: 'made' }
    })
    const answer = await call()
    expect(answer).toMatchObject({
      status: 201,
      body: 'made',
      headers: { 'x-own': 'kept', 'set-cookie': ['a=1', 'b=2'] },
    })
    expect(await settled()).toBe(40)
    const [use] = await credits.getTransactionHistory(userId, 'calling', 1)
    expect(use).toMatchObject({ transactionType: 'usage', amount: -60, description: 'POST /enrich' })
  })

  it.each([
    { cost: 12, owned: 88 },
    { cost: 95, owned: 5 },
    { cost: 0, owned: 100 },
  ])('charges $cost when the handler says so', async ({ cost, owned }) => {
    const { call, settled } = await paying(name, ({ setCost }) => {
      setCost(cost)
      return { body: 'done' }
    })
    expect(await call()).toMatchObject({ status: 200, body: 'done' })
    expect(await settled()).toBe(owned)
  })

  it('tells what was charged, and how much of the cost could not be', async () => {
    const charged: unknown[] = []
    const told = gate()
    const { call, settled } = await paying(name, ({ setCost }) => (setCost(130), {}), {
      onCharged: ({ transaction, uncovered }) => {
        charged.push([transaction?.amount, uncovered])
        told.open()
      },
    })
    expect(await call()).toMatchObject({ status: 200 })
    expect(await settled()).toBe(40)
    await told.promise
    expect(charged).toEqual([[-60, 70]])
  })

  it.each([400, 404, 500, 503])(
    'charges nothing for an answer of %d, and it arrives as it was given',
    async (status) => {
      const { call, settled } = await paying(name, () => ({ status, body: 'no', headers: [['x-own', 'kept']] }))
      expect(await call()).toMatchObject({ status, body: 'no', headers: { 'x-own': 'kept' } })
      expect(await settled()).toBe(100)
    },
  )

  it.each(['at once', 'later'])(
    "charges nothing for a handler that throws %s, and the host's answer arrives",
    async (when) => {
      const { call, settled } = await paying(name, () => {
        if (when === 'at once') throw new Error('broken')
        return Promise.reject(new Error('broken'))
      })
      expect(await call()).toMatchObject({ status: 500, body: 'host: broken' })
      expect(await settled()).toBe(100)
    },
  )

  it('answers 402 with the shortfall and where to buy, and the handler does not run', async () => {
    const price = { amount: 130, creditType: 'calling' } as const
    const { call, figures, counted } = await paying(name, () => ({}), { price })
    const { status, headers, body } = await call()
    expect([status, headers['content-type'], headers['cache-control'], headers.link]).toEqual([
      402,
      'application/problem+json',
      'no-store',
      '</billing>; rel="payment"',
    ])
    expect(JSON.parse(body)).toEqual({
      type: 'urn:creditkit:problem:INSUFFICIENT_CREDITS',
      title: 'Insufficient credits',
      status: 402,
      detail: 'Insufficient credits. Required: 130, Available: 100',
      code: 'INSUFFICIENT_CREDITS',
      required: 130,
      available: 100,
      shortfall: 30,
      creditType: 'calling',
      buyUrl: '/billing',
    })
    expect([await figures(), counted.runs]).toMatchObject([{ balance: 100, held: 0 }, 0])
  })

  it('lets exactly one of two concurrent calls run when there are credits for one', async () => {
    const bothAsked = gate()
    const { call, settled, counted } = await paying(name, async () => {
      await bothAsked.promise
      return {}
    })
    const calls = [call(), call()]
    // The one that is refused does not wait for the other.
    const first = await Promise.race(calls)
    bothAsked.open()
    const statuses = (await Promise.all(calls)).map(({ status }) => status)
    expect([first.status, statuses.sort(), counted.runs]).toEqual([402, [200, 402], 1])
    expect(await settled()).toBe(40)
  })

  it('answers 401 when nobody is signed in', async () => {
    const { call, counted } = await paying(name, () => ({}), { signedIn: false })
    const { status, body } = await call()
    expect([status, JSON.parse(body), counted.runs]).toMatchObject([401, { code: 'UNAUTHORIZED' }, 0])
  })

  it('answers 429 with retry-after above a limit', async () => {
    const limits = { calling: [{ max: 1, per: 'hour', of: 'calls' }] } as const
    const price = { amount: 1, creditType: 'calling' } as const
    const { call, settled, counted } = await paying(name, () => ({}), { price }, { limits })
    expect(await call()).toMatchObject({ status: 200 })
    const { status, headers, body } = await call()
    expect([status, JSON.parse(body)]).toMatchObject([429, { code: 'LIMIT_EXCEEDED', creditType: 'calling', used: 1 }])
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    expect([await settled(), counted.runs]).toEqual([99, 1])
  })

  it('holds the price of an operation, and charges the price of what it really was', async () => {
    const price = { operation: 'transcribe', params: () => ({ minutes: 30 }) }
    const { call, settled, credits, userId } = await paying(
      name,
      ({ hold, setParams }) => {
        expect(hold).toMatchObject({ amount: 60, operation: { name: 'transcribe', params: { minutes: 30 } } })
        setParams({ minutes: 12 })
        return {}
      },
      { price, details: () => ({ referenceId: 'job-1', metadata: { file: 'a.wav' } }) },
      { operations },
    )
    expect(await call()).toMatchObject({ status: 200 })
    expect(await settled()).toBe(76)
    const [use] = await credits.getTransactionHistory(userId, 'calling', 1)
    expect(use).toMatchObject({
      amount: -24,
      description: 'transcribe',
      referenceId: 'job-1',
      metadata: { file: 'a.wav' },
    })
  })

  it.each([
    { what: 'an amount', price: { amount: () => 0, creditType: 'calling' as const } },
    { what: 'an operation', price: { operation: 'transcribe', params: () => ({ minutes: 0 }) } },
  ])('runs without a hold when $what costs 0', async ({ price }) => {
    const { call, figures, counted } = await paying(
      name,
      ({ hold, setCost }) => {
        expect(hold).toBeNull()
        setCost(0)
        return {}
      },
      { price },
      { operations },
    )
    expect(await call()).toMatchObject({ status: 200, body: 'done' })
    expect([await figures(), counted.runs]).toMatchObject([{ balance: 100, held: 0, totalUsed: 0 }, 1])
  })

  it('fails a handler that says a cost when nothing is held, instead of giving its work away', async () => {
    const price = { amount: () => Promise.resolve(0), creditType: 'calling' } as const
    const { call } = await paying(name, ({ setCost }) => (setCost(1), {}), { price })
    const { status, body } = await call()
    expect([status, body]).toEqual([500, expect.stringContaining('priced 0')])
  })

  it('answers 400 to a call whose price is no number of credits', async () => {
    const price = { operation: 'transcribe', params: () => ({ minutes: 'long' }) }
    const { call, counted } = await paying(name, () => ({}), { price }, { operations })
    const { status, body } = await call()
    expect([status, JSON.parse(body), counted.runs]).toMatchObject([
      400,
      { code: 'INVALID_INPUT', issues: [{ path: 'params.minutes' }] },
      0,
    ])
  })

  it("leaves the host's own errors to the host", async () => {
    const details = () => {
      throw new Error('in options')
    }
    const { call, counted, figures } = await paying(name, () => ({}), { details })
    expect(await call()).toMatchObject({ status: 500, body: 'host: in options' })
    expect([counted.runs, await figures()]).toMatchObject([0, { held: 0 }])
  })

  it('charges answers without a body', async () => {
    const { call, url, settled } = await paying(name, ({ setCost }) => (setCost(10), { status: 204, body: null }))
    expect(await call()).toMatchObject({ status: 204, body: '' })
    expect(await settled()).toBe(90)
    expect(await send(url, { method: 'HEAD' })).toMatchObject({ status: 204, body: '' })
    expect(await settled()).toBe(80)
  })

  it('charges a HEAD whose handler answers with a body', async () => {
    const { url, settled } = await paying(name, () => ({ body: 'long' }))
    expect(await send(url, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
    expect(await settled()).toBe(40)
  })
})

describe.each(Object.keys(PAID_MOUNTS))('requireCredits with an idempotency key in %s', (name) => {
  const price = { amount: 10, creditType: 'calling' } as const
  const key = { 'idempotency-key': 'intent-1' }

  it('refuses a repeat of a call that was charged, and does not run it', async () => {
    const { call, settled, counted } = await paying(name, () => ({}), { price })
    expect(await call(key)).toMatchObject({ status: 200 })
    expect(await settled()).toBe(90)
    const { status, body } = await call(key)
    expect([status, JSON.parse(body)]).toMatchObject([409, { code: 'HOLD_NOT_OPEN', holdStatus: 'captured' }])
    expect([await settled(), counted.runs]).toEqual([90, 1])
  })

  it('refuses repeats while the first is at work, so that one charge pays for one piece of work', async () => {
    const finish = gate()
    const { call, settled, counted } = await paying(name, async () => (await finish.promise, {}), { price })
    const calls = [call(key), call(key), call(key)]
    const refused = await Promise.race(calls)
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([409, { code: 'HOLD_IN_USE' }])
    finish.open()
    const statuses = (await Promise.all(calls)).map(({ status }) => status).sort()
    expect([statuses, counted.runs, await settled()]).toEqual([[200, 409, 409], 1, 90])
  })

  it('does the work again after a failure, however often, and charges it once', async () => {
    const answers = [500, 503, 200]
    const { call, settled, counted } = await paying(name, () => ({ status: answers.shift() ?? 0 }), { price })
    const statuses: number[] = []
    for (let attempt = 0; attempt < 4; attempt += 1) {
      statuses.push((await call(key)).status)
      await settled()
    }
    expect([statuses, counted.runs, await settled()]).toEqual([[500, 503, 200, 409], 3, 90])
  })

  it('takes one key on two routes for two calls, and reads past the query', async () => {
    const { url, settled } = await paying(name, () => ({}), { price })
    const paths = ['/enrich', '/other', '/enrich?again=1', `/${'long'.repeat(100)}`, `/${'long'.repeat(100)}`]
    const statuses: number[] = []
    for (const path of paths) {
      statuses.push((await send(url.replace('/enrich', path), { headers: key })).status)
      await settled()
    }
    expect([statuses, await settled()]).toEqual([[200, 200, 409, 200, 409], 70])
  })

  it('refuses the key for another price', async () => {
    const amounts = [10, 20]
    const dynamic = { amount: () => amounts.shift() ?? 0, creditType: 'calling' } as const
    const { call, settled } = await paying(name, () => ({}), { price: dynamic })
    expect(await call(key)).toMatchObject({ status: 200 })
    const { status, body } = await call(key)
    expect([status, JSON.parse(body)]).toMatchObject([409, { code: 'IDEMPOTENCY_CONFLICT', field: 'amount' }])
    expect(await settled()).toBe(90)
  })

  it("takes the host's own name of the intent", async () => {
    const { call, settled } = await paying(name, () => ({}), { price, idempotencyKey: () => 'job-7' })
    expect(await call()).toMatchObject({ status: 200 })
    expect(await call({ 'idempotency-key': 'other' })).toMatchObject({ status: 409 })
    expect(await settled()).toBe(90)
  })

  it('takes a blank key for none', async () => {
    const { call, settled } = await paying(name, () => ({}), { price })
    for (const status of [200, 200]) expect(await call({ 'idempotency-key': ' ' })).toMatchObject({ status })
    expect(await settled()).toBe(80)
  })
})
