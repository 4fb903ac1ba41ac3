import { createServer } from 'node:http'
import { CreditService } from 'creditkit'
import { webhookHandler } from 'creditkit/adapters/node'
import { postgresStore } from 'creditkit/adapters/postgres'
import { stripePayments } from 'creditkit/adapters/stripe'
import type { Failure } from 'creditkit/testing'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startProxy } from '../postgres/failing-proxy.js'
import { openShop, type Shop } from './shop.js'

/* reference/stripe.md, 3.A, and invariant I6: deliveries that are repeated, doubled, cut off and broken. */

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const COMPLETED = { types: ['checkout.session.completed'] } as const

let shop: Shop
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  shop = await openShop()
  shop.stripe.delivery = 'hold'
})
afterEach(async () => {
  shop.stripe.discard()
  shop.stripe.clearFailures()
  for (const close of closing.splice(0)) await close()
})
afterAll(() => shop.close())

/** Another instance of the shop's service, on a database of the test's choice. */
function instance(database: unknown, webhookSecret: string = shop.stripe.webhookSecret): CreditService {
  const payments = stripePayments({ stripe: shop.stripe.stripe, webhookSecret, appUrl: 'https://shop.example' })
  return new CreditService({ store: postgresStore(database), payments, logger: quiet })
}

/** Serve an instance by HTTP, and let Stripe deliver there instead of to the shop until the test is over. */
async function deliverTo(credits: CreditService): Promise<void> {
  const server = createServer(webhookHandler(credits))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('deliverTo: the server has no port')
  shop.stripe.webhookUrl = `http://127.0.0.1:${address.port}/webhooks/stripe`
  closing.push(async () => {
    shop.stripe.webhookUrl = shop.webhookUrl
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
}

/** Everything the payments of a user have left behind, but for ids and times. */
async function picture(userId: string): Promise<object> {
  const read = async (sql: string): Promise<unknown[]> => (await shop.pool.query<object>(sql, [userId])).rows
  const { violations } = await shop.credits.verify({ userId })
  return {
    violations,
    balance: await shop.credits.getBalance(userId, 'enrichment'),
    ledger: await shop.ledger(userId),
    purchases: await read(
      `select status, paid_minor, clawed, session_id is not null as session, payment_id is not null as payment,
         fulfilled_at is not null as fulfilled from creditkit.credit_purchases where user_id = $1`,
    ),
    grants: await read('select amount, remaining from creditkit.credit_grants where user_id = $1'),
    facts: await read('select kind, status, amount_minor from creditkit.credit_payment_facts where user_id = $1'),
  }
}

async function isNoted(eventId: string): Promise<boolean> {
  const { rowCount } = await shop.pool.query('select 1 from creditkit.credit_webhook_events where id = $1', [eventId])
  return rowCount === 1
}

async function deliver(types: readonly string[]): Promise<{ status: number; eventId: string }> {
  const [delivery, ...others] = await shop.stripe.deliver({ types })
  if (delivery === undefined || others.length > 0) throw new Error(`not one of ${types.join()} was held`)
  return delivery
}

describe('a delivery', () => {
  it('4 of one event to two endpoints with a secret each grants once, and both are answered', async () => {
    const second = instance(shop.pool, 'whsec_of_the_second')
    const rolled = stripePayments({
      stripe: shop.stripe.stripe,
      webhookSecret: [shop.stripe.webhookSecret, 'whsec_of_the_third'],
      appUrl: 'https://shop.example',
    })
    const third = new CreditService({ store: postgresStore(shop.pool), payments: rolled, logger: quiet })
    const endpoints = [
      shop.stripe.registerEndpoint((request) => second.handleWebhook(request), { secret: 'whsec_of_the_second' }),
      shop.stripe.registerEndpoint((request) => third.handleWebhook(request), { secret: 'whsec_of_the_third' }),
    ]
    closing.push(() => Promise.all(endpoints.map(({ id }) => shop.stripe.stripe.webhookEndpoints.del(id))))
    const userId = shop.newBuyer()
    await shop.buy(userId)
    const answers = await shop.stripe.deliver({ ...COMPLETED, copies: 2, concurrently: true })
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('9 whose answer is lost after the commit is repeated without effect', async () => {
    let lost = 0
    const { id } = shop.stripe.registerEndpoint(async (request) => {
      const answer = await shop.credits.handleWebhook(request)
      lost += 1
      if (lost === 1) throw new Error('connection reset')
      return answer
    })
    closing.push(() => shop.stripe.stripe.webhookEndpoints.del(id))
    shop.stripe.webhookUrl = undefined
    closing.push(async () => (shop.stripe.webhookUrl = shop.webhookUrl))
    const userId = shop.newBuyer()
    await shop.buy(userId)
    expect((await deliver(COMPLETED.types)).status).toBe(0)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('11 while the database is down is answered 503 and writes nothing; the next one grants', async () => {
    const stopped = new Pool({ connectionString: shop.pool.options.connectionString })
    await deliverTo(instance(stopped))
    await stopped.end()
    const userId = shop.newBuyer()
    await shop.buy(userId)
    const before = await picture(userId)
    const { status, eventId } = await deliver(COMPLETED.types)
    expect(status).toBe(503)
    expect(await picture(userId)).toEqual(before)
    expect(await isNoted(eventId)).toBe(false)
    shop.stripe.webhookUrl = shop.webhookUrl
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect(await isNoted(eventId)).toBe(true)
  })

  it('12 whose COMMIT stays unanswered never grants twice, whether it was carried out or not', async () => {
    for (const fault of ['swallowAnswerTo', 'cutBefore'] as const) {
      const proxy = await startProxy(shop.pool.options.connectionString ?? '')
      const through = new Pool({ connectionString: proxy.url })
      await deliverTo(instance(through))
      const userId = shop.newBuyer()
      await shop.buy(userId)
      proxy[fault]('commit')
      const first = await deliver(COMPLETED.types)
      expect([200, 503], fault).toContain(first.status)
      if (first.status === 200) expect(await shop.ledger(userId)).toEqual(['purchase 100'])
      proxy.behave()
      if (first.status !== 200) expect((await deliver(COMPLETED.types)).status, fault).toBe(200)
      expect(await shop.ledger(userId), fault).toEqual(['purchase 100'])
      await through.end()
      await proxy.close()
    }
  })

  it('13 that loses against other transactions is tried again inside, and asks to be repeated when it always does', async () => {
    const userId = shop.newBuyer()
    await shop.buy(userId)
    // A sequence counts also what is rolled back: the first two inserts fail as if by a deadlock.
    await breaking(`if nextval('creditkit.broken') <= 2 then raise exception using errcode = '40P01'; end if`)
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    await mend()
    const another = shop.newBuyer()
    await shop.buy(another)
    await breaking(`raise exception using errcode = '40001'`)
    expect((await deliver(COMPLETED.types)).status).toBe(503)
    expect(await shop.ledger(another)).toEqual([])
    await mend()
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(another)).toEqual(['purchase 100'])
  })

  it('14 grants although the event was noted before: a note is no claim', async () => {
    const userId = shop.newBuyer()
    await shop.buy(userId)
    const event = shop.stripe.held.find(({ type }) => type === 'checkout.session.completed')
    await shop.pool.query(
      `insert into creditkit.credit_webhook_events (provider, id, type, livemode, created_at, received_at)
       values ('stripe', $1, 'checkout.session.completed', false, now(), now())`,
      [event?.id],
    )
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('15 that Stripe gave up waiting for goes on beside its repetition, and one of them grants', async () => {
    const handled: Promise<Response>[] = []
    const { id } = shop.stripe.registerEndpoint((request) => {
      const answer = shop.credits.handleWebhook(request)
      handled.push(answer)
      if (handled.length === 1) throw new Error('timeout')
      return answer
    })
    closing.push(() => shop.stripe.stripe.webhookEndpoints.del(id))
    shop.stripe.webhookUrl = undefined
    closing.push(async () => (shop.stripe.webhookUrl = shop.webhookUrl))
    const userId = shop.newBuyer()
    await shop.buy(userId)
    shop.stripe.failNext({ path: '/v1/checkout/sessions', method: 'GET', delayMs: 400 })
    expect((await deliver(COMPLETED.types)).status).toBe(0)
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect((await Promise.all(handled)).map(({ status }) => status)).toEqual([200, 200])
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('16 that fails by a bug is never answered 2xx, tells nothing of the database, and leaves nothing half done', async () => {
    const userId = shop.newBuyer()
    await shop.buy(userId)
    const before = await picture(userId)
    await breaking(`raise exception 'secret detail'`)
    const [failed] = await shop.stripe.deliver(COMPLETED)
    expect(failed?.status).toBe(500)
    expect(failed?.body).not.toMatch(/secret|insert|creditkit|P0001/)
    expect(await picture(userId)).toEqual(before)
    await mend()
    expect((await deliver(COMPLETED.types)).status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })
})

/** Run a statement of PL/pgSQL before every transaction that is written to the ledger. */
async function breaking(statement: string): Promise<void> {
  await shop.pool.query('create sequence creditkit.broken')
  await shop.pool.query(
    `create function creditkit.broken() returns trigger language plpgsql as $$ begin ${statement}; return new; end $$`,
  )
  await shop.pool.query(
    `create trigger broken before insert on creditkit.credit_transactions
     for each row execute function creditkit.broken()`,
  )
}

async function mend(): Promise<void> {
  await shop.pool.query('drop function creditkit.broken cascade; drop sequence creditkit.broken')
}

/** What happens to the n-th statement: it is not sent, its answer is lost, or the database is gone from then on. */
type Fault = 'question' | 'answer' | 'everything'

class Faults {
  /** Statements since the last `plan`. */
  seen = 0
  happened = 0
  #at = Infinity
  #kind: Fault = 'question'

  plan(kind: Fault, at: number): void {
    Object.assign(this, { seen: 0, happened: 0 })
    this.#kind = kind
    this.#at = at
  }

  heal(): void {
    this.#at = Infinity
  }

  async around<T>(statement: () => Promise<T>): Promise<T> {
    this.seen += 1
    const isHit = this.#kind === 'everything' ? this.seen >= this.#at : this.seen === this.#at
    if (!isHit) return statement()
    this.happened += 1
    if (this.#kind === 'answer') await statement()
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  }
}

/** The same pool, whose statements meet the faults. */
function faultyPool(pool: Pool, faults: Faults): object {
  const wrapped = new WeakMap<object, object>()
  return withMethod(pool, 'connect', async () => {
    const client = await pool.connect()
    const query = client.query.bind(client)
    const faulty =
      wrapped.get(client) ??
      withMethod(client, 'query', (...given) =>
        faults.around(async () => {
          const answer: unknown = await Reflect.apply(query, client, given)
          return answer
        }),
      )
    wrapped.set(client, faulty)
    return faulty
  })
}

function withMethod<T extends object>(target: T, name: string, method: (...given: unknown[]) => unknown): T {
  return new Proxy(target, {
    get: (_target, property) => {
      if (property === name) return method
      const value: unknown = Reflect.get(target, property)
      const bound: unknown = typeof value === 'function' ? value.bind(target) : value
      return bound
    },
  })
}

describe('I6, 10: whichever step of a delivery fails, no answer is 2xx before the rows are there', () => {
  /** Buy (and refund) with events held back; `types` is what is left to deliver. */
  const scenarios = {
    'a paid checkout': {
      types: COMPLETED.types,
      play: (userId: string): Promise<unknown> => shop.buy(userId),
      ledger: ['purchase 100'],
    },
    'a partial refund': {
      types: ['charge.refunded'],
      play: async (userId: string): Promise<unknown> => {
        const sessionId = await shop.buy(userId)
        await shop.stripe.deliver(COMPLETED)
        return shop.stripe.refund({ sessionId, amount: 333 })
      },
      ledger: ['purchase 100', 'clawback -33'],
    },
  }

  for (const [name, { types, play, ledger }] of Object.entries(scenarios)) {
    /** One delivery under a fault, and what follows. @returns The picture at the end and the first status. */
    const survive = async (hit: () => void, heal: () => void): Promise<{ end: object; first: number }> => {
      const userId = shop.newBuyer()
      await play(userId)
      hit()
      const { status, eventId } = await deliver(types)
      heal()
      if (status === 200) expect(await shop.ledger(userId)).toEqual(ledger)
      else {
        expect(status).toBe(503)
        expect((await deliver(types)).status).toBe(200)
      }
      expect(await isNoted(eventId)).toBe(true)
      shop.stripe.discard()
      return { end: await picture(userId), first: status }
    }

    it.each(['question', 'answer', 'everything'] as const)(
      `${name}, with the %s of the n-th statement lost`,
      { timeout: 120_000 },
      async (kind) => {
        const faults = new Faults()
        await deliverTo(instance(faultyPool(shop.pool, faults)))
        const { end: expected } = await survive(
          () => undefined,
          () => undefined,
        )
        expect(expected).toMatchObject({ violations: [], ledger })
        let refused = 0
        for (let n = 1; ; n += 1) {
          const { end, first } = await survive(
            () => faults.plan(kind, n),
            () => faults.heal(),
          )
          expect(end, `${kind} ${n}`).toEqual(expected)
          if (first !== 200) refused += 1
          if (faults.seen < n) {
            expect([faults.happened, first]).toEqual([0, 200])
            // Each of find, begin, load, write, commit and note was hit at least.
            expect(n).toBeGreaterThan(6)
            break
          }
          expect(faults.happened, `${kind} ${n}`).toBeGreaterThan(0)
        }
        expect(refused).toBeGreaterThan(3)
      },
    )

    it.each<[string, Failure]>([
      ['answered 500', { status: 500 }],
      // Twice, since the SDK itself tries again after a reset.
      ['cut off', { reset: true, times: 2 }],
    ])(`${name}, with the n-th call of Stripe %s`, async (_how, failure) => {
      const { end: expected } = await survive(
        () => undefined,
        () => undefined,
      )
      for (let n = 1; ; n += 1) {
        let calls = 0
        const { end, first } = await survive(
          () => {
            calls = shop.stripe.calls.length
            if (n > 1) shop.stripe.failNext({ delayMs: 0, times: n - 1 })
            shop.stripe.failNext(failure)
          },
          () => {
            calls = shop.stripe.calls.length - calls
            shop.stripe.clearFailures()
          },
        )
        expect(end, `call ${n}`).toEqual(expected)
        expect(first, `call ${n}`).toBe(calls < n ? 200 : 503)
        if (calls < n) {
          expect(n).toBeGreaterThan(1)
          break
        }
      }
    })
  }
})
