import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fakeStripe, signedWebhook, type FakeStripe, type FakeStripeOptions } from 'creditkit/testing'
import Stripe from 'stripe'
import { afterEach, describe, expect, it } from 'vitest'

/** A shop's webhook endpoint: verifies with the real SDK, answers what `answer` says. */
interface Shop {
  url: string
  received: Stripe.Event[]
  answer: (event: Stripe.Event, nth: number) => number | Promise<number>
}

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function openShop(secret = 'whsec_creditkit_local'): Promise<Shop> {
  const shop: Shop = { url: '', received: [], answer: () => 200 }
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const signature = String(request.headers['stripe-signature'])
      Stripe.webhooks
        .constructEventAsync(Buffer.concat(chunks), signature, secret)
        .then(async (event) => {
          shop.received.push(event)
          response.writeHead(await shop.answer(event, shop.received.length)).end('seen')
        })
        .catch((error: unknown) => response.writeHead(400).end(String(error)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  shop.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return shop
}

async function openStripe(options: FakeStripeOptions = {}): Promise<FakeStripe> {
  const fake = await fakeStripe({ retryDelayMs: 5, ...options })
  open.push(() => fake.close())
  return fake
}

const types = (events: readonly { type: string }[]): string[] => events.map((event) => event.type)

describe('automatic delivery', () => {
  it('has told the endpoint, with a signature that verifies, when an action is done', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url })
    const { id } = await newSession(fake)
    await fake.complete(id)
    expect(types(shop.received).slice(-5)).toEqual([
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'checkout.session.completed',
      'charge.updated',
    ])
    expect(fake.deliveries.every((delivery) => delivery.status === 200 && delivery.body === 'seen')).toBe(true)
    expect(shop.received.at(-2)).toMatchObject({
      api_version: '2026-10-28.endive',
      livemode: false,
      pending_webhooks: 1,
    })
  })

  it('also tells about what the API was asked for, naming the request', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url })
    await fake.stripe.customers.create({}, { idempotencyKey: 'k1' })
    await fake.idle()
    expect(shop.received[0]?.request).toMatchObject({
      idempotency_key: 'k1',
      id: expect.stringMatching(/^req_/) as string,
    })
  })

  it('tries again with growing pauses until the endpoint answers 2xx', async () => {
    const shop = await openShop()
    shop.answer = (_event, nth) => (nth < 3 ? 503 : 200)
    const fake = await openStripe({ webhookUrl: shop.url })
    await fake.stripe.customers.create({})
    await fake.idle()
    expect(fake.deliveries.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 503],
      [2, 503],
      [3, 200],
    ])
  })

  it('gives up after the number of attempts it was set to, and shows it in events.list', async () => {
    const shop = await openShop()
    shop.answer = () => 500
    const fake = await openStripe({ webhookUrl: shop.url, maxAttempts: 3 })
    await fake.stripe.customers.create({})
    await fake.idle()
    expect(shop.received).toHaveLength(3)
    expect((await fake.stripe.events.list({ delivery_success: false })).data).toHaveLength(1)
    expect((await fake.stripe.events.list({ delivery_success: true })).data).toHaveLength(0)
    shop.answer = () => 200
    await fake.deliver({ eventIds: fake.events.map((event) => event.id) })
    expect((await fake.stripe.events.list({ delivery_success: true })).data).toHaveLength(1)
  })

  it('counts a redirect and a refused connection as failures', async () => {
    const shop = await openShop()
    shop.answer = () => 307
    const fake = await openStripe({ webhookUrl: shop.url, maxAttempts: 1 })
    await fake.stripe.customers.create({})
    fake.webhookUrl = 'http://127.0.0.1:1/hook'
    await fake.stripe.customers.create({})
    await fake.idle()
    expect(fake.deliveries.map((delivery) => delivery.status)).toEqual([307, 0])
    expect(fake.deliveries[1]?.error).toMatch(/fetch failed|bad port/)
  })

  it('does not wait for an endpoint that never answers, neither to time out nor to close', async () => {
    const shop = await openShop()
    shop.answer = () => new Promise(() => undefined)
    const slow = await openStripe({ webhookUrl: shop.url, maxAttempts: 1, deliveryTimeoutMs: 30 })
    await slow.stripe.customers.create({})
    await slow.idle()
    expect(slow.deliveries[0]).toMatchObject({ status: 0, error: expect.stringContaining('timeout') as string })
    const patient = await openStripe({ webhookUrl: shop.url })
    await patient.stripe.customers.create({})
    const started = Date.now()
    await patient.close()
    expect(Date.now() - started).toBeLessThan(2_000)
  })
})

describe('held delivery', () => {
  it('sends nothing until told, then in the order asked for, as often as asked for', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'hold' })
    const { id } = await newSession(fake)
    await fake.complete(id)
    expect(shop.received).toEqual([])
    fake.discard({ types: ['product.created', 'price.created', 'charge.updated'] })
    const expected = types(fake.held)
    const results = await fake.deliver({ order: 'reversed', copies: 2 })
    const twice = [...expected].reverse().flatMap((type) => [type, type])
    expect(types(shop.received)).toEqual(twice)
    expect(results.map(({ type, status }) => [type, status])).toEqual(twice.map((type) => [type, 200]))
    expect(fake.held).toEqual([])
    expect(await fake.deliver()).toEqual([])
  })

  it('keeps what was not taken, so that delivering again is a retry', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'hold' })
    await fake.stripe.customers.create({})
    shop.answer = () => 503
    expect(await fake.deliver()).toMatchObject([{ status: 503, attempt: 1 }])
    expect(fake.held).toHaveLength(1)
    shop.answer = () => 200
    expect(await fake.deliver()).toMatchObject([{ status: 200, attempt: 2 }])
    expect(fake.held).toHaveLength(0)
  })

  it('sends copies at the same time', async () => {
    const shop = await openShop()
    let running = 0
    let most = 0
    shop.answer = async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 30))
      running -= 1
      return 200
    }
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'hold' })
    await fake.stripe.customers.create({})
    await fake.deliver({ copies: 10, concurrently: true })
    expect(shop.received).toHaveLength(10)
    expect(most).toBeGreaterThan(5)
  })

  it('takes an order of the test’s own and only the types asked for', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'hold' })
    const { id } = await newSession(fake)
    await fake.complete(id)
    await fake.deliver({
      types: ['checkout.session.completed', 'payment_intent.succeeded'],
      copies: 2,
      order: ([a, b, c]) => [c, a, b].filter((event) => event !== undefined),
    })
    expect(types(shop.received)).toEqual([
      'checkout.session.completed',
      'payment_intent.succeeded',
      'payment_intent.succeeded',
    ])
    expect(types(fake.held)).toContain('charge.succeeded')
  })

  it('shows each event as it was when it happened', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'hold' })
    const { id } = await newSession(fake)
    await fake.complete(id, 'unpaid')
    await fake.settle(id, 'succeeded')
    await fake.deliver({ types: ['checkout.session.completed'] })
    expect(shop.received[0]?.data.object).toMatchObject({ payment_status: 'unpaid' })
    expect(shop.received[0]?.data.object).not.toHaveProperty('line_items')
  })

  it('signs with the time it is told', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'hold' })
    await fake.stripe.customers.create({})
    const now = Math.floor(Date.now() / 1000)
    expect(await fake.deliver({ timestamp: now - 400 })).toMatchObject([{ status: 400 }])
    expect(await fake.deliver({ timestamp: now - 200 })).toMatchObject([{ status: 200 }])
  })

  it('says so when there is nowhere to deliver to', async () => {
    const fake = await openStripe({ delivery: 'hold' })
    await fake.stripe.customers.create({})
    await expect(fake.deliver()).rejects.toThrow('no webhook endpoint is registered')
  })
})

describe('dropped delivery', () => {
  it('loses events that the API still lists', async () => {
    const shop = await openShop()
    const fake = await openStripe({ webhookUrl: shop.url, delivery: 'drop' })
    await fake.stripe.customers.create({})
    expect(await fake.deliver()).toEqual([])
    const { data } = await fake.stripe.events.list({ delivery_success: false, types: ['customer.created'] })
    expect(data).toHaveLength(1)
    await fake.deliver({ eventIds: data.map((event) => event.id) })
    expect(shop.received).toHaveLength(1)
  })
})

describe('endpoints', () => {
  it('can be several, each with its secret and its types', async () => {
    const [first, second] = [await openShop('whsec_first'), await openShop('whsec_second')]
    const fake = await openStripe()
    fake.registerEndpoint(first.url, { secret: 'whsec_first' })
    fake.registerEndpoint(second.url, { secret: 'whsec_second', events: ['customer.deleted'] })
    const customer = await fake.stripe.customers.create({})
    await fake.stripe.customers.del(customer.id)
    await fake.idle()
    expect(types(first.received)).toEqual(['customer.created', 'customer.deleted'])
    expect(types(second.received)).toEqual(['customer.deleted'])
  })

  it('can be made by the API, which tells the secret once', async () => {
    const fake = await openStripe({ delivery: 'hold' })
    const shopUrl = 'http://localhost:9/hook'
    const made = await fake.stripe.webhookEndpoints.create({ url: shopUrl, enabled_events: ['charge.refunded'] })
    expect(made.secret).toMatch(/^whsec_/)
    const { data } = await fake.stripe.webhookEndpoints.list()
    expect(data).toMatchObject([{ id: made.id, url: shopUrl, enabled_events: ['charge.refunded'], status: 'enabled' }])
    expect(data[0]?.secret).toBeUndefined()
    await fake.stripe.webhookEndpoints.update(made.id, { disabled: true })
    expect(await fake.stripe.webhookEndpoints.retrieve(made.id)).toMatchObject({ status: 'disabled' })
    await fake.stripe.webhookEndpoints.del(made.id)
    expect((await fake.stripe.webhookEndpoints.list()).data).toEqual([])
  })

  it('can be a function in the same process', async () => {
    const fake = await openStripe()
    const seen: string[] = []
    fake.registerEndpoint(async (request) => {
      const body = await request.text()
      const signature = request.headers.get('stripe-signature') ?? ''
      const event = await Stripe.webhooks.constructEventAsync(body, signature, fake.webhookSecret)
      seen.push(event.type)
      return new Response(null, { status: 200 })
    })
    await fake.stripe.customers.create({})
    await fake.idle()
    expect(seen).toEqual(['customer.created'])
  })
})

describe('events', () => {
  it('are listed newest first, by type and cursor, for 30 days', async () => {
    const fake = await openStripe({ delivery: 'drop' })
    const customer = await fake.stripe.customers.create({})
    await fake.stripe.customers.update(customer.id, { name: 'N' })
    await fake.stripe.customers.del(customer.id)
    const list = async (params: Stripe.EventListParams): Promise<string[]> =>
      types((await fake.stripe.events.list(params)).data)
    expect(await list({})).toEqual(['customer.deleted', 'customer.updated', 'customer.created'])
    expect(await list({ type: 'customer.*', limit: 1 })).toEqual(['customer.deleted'])
    expect(await list({ types: ['customer.created', 'customer.updated'] })).toEqual([
      'customer.updated',
      'customer.created',
    ])
    const oldest = fake.events[0]
    expect(await list({ ending_before: String(oldest?.id) })).toEqual(['customer.deleted', 'customer.updated'])
    const chronological: string[] = []
    for await (const event of fake.stripe.events.list({ ending_before: String(oldest?.id), limit: 1 }))
      chronological.push(event.type)
    expect(chronological).toEqual(['customer.updated', 'customer.deleted'])
    expect(await fake.stripe.events.retrieve(String(oldest?.id))).toMatchObject({ type: 'customer.created' })
  })
})

describe('signedWebhook', () => {
  const event = { id: 'evt_1', object: 'event', type: 'charge.refunded', data: { object: { name: 'ü' } } }
  const verify = async (request: Request, secret: string): Promise<Stripe.Event> =>
    Stripe.webhooks.constructEventAsync(await request.text(), request.headers.get('stripe-signature') ?? '', secret)

  it('is a POST whose signature verifies with the secret and no other', async () => {
    const request = await signedWebhook(event, 'whsec_a', { url: 'https://shop.test/hook' })
    expect(request).toMatchObject({ method: 'POST', url: 'https://shop.test/hook' })
    expect(request.headers.get('content-type')).toContain('application/json')
    expect(await verify(request.clone(), 'whsec_a')).toEqual(event)
    await expect(verify(request, 'whsec_b')).rejects.toThrow('No signatures found')
  })

  it('verifies with each of several secrets', async () => {
    const request = await signedWebhook(event, ['whsec_old', 'whsec_new'])
    expect(await verify(request.clone(), 'whsec_old')).toEqual(event)
    expect(await verify(request, 'whsec_new')).toEqual(event)
  })

  it('can be old, and can carry what is no event', async () => {
    const old = await signedWebhook(event, 'whsec_a', { timestamp: Math.floor(Date.now() / 1000) - 301 })
    await expect(verify(old, 'whsec_a')).rejects.toThrow('Timestamp outside the tolerance zone')
    await expect(verify(await signedWebhook('not json', 'whsec_a'), 'whsec_a')).rejects.toBeInstanceOf(SyntaxError)
  })
})

async function newSession(fake: FakeStripe): Promise<Stripe.Checkout.Session> {
  return fake.stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.test/done',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' } }, quantity: 1 }],
  })
}
