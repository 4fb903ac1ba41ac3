import { request } from 'node:http'
import { signedWebhook } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

/** Send bytes as they are, under any headers (fetch would correct the Host). */
function post(url: string, body: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

describe('webhooks that are not from Stripe', () => {
  let shop: Shop
  let body: string

  beforeAll(async () => {
    shop = await openShop()
    shop.stripe.delivery = 'hold'
    await shop.buy('victim')
    const completed = shop.stripe.events.find(({ type }) => type === 'checkout.session.completed')
    body = JSON.stringify(completed)
  })
  afterAll(() => shop.close())

  async function rows(): Promise<number> {
    const tables = ['credit_transactions', 'credit_grants', 'credit_webhook_events', 'user_credits']
    const counts = await Promise.all(
      tables.map((table) => shop.pool.query<{ n: string }>(`select count(*) as n from creditkit.${table}`)),
    )
    return counts.reduce((sum, { rows: [row] }) => sum + Number(row?.n), 0)
  }

  const signature = async (text: string, secret = shop.stripe.webhookSecret, timestamp?: number): Promise<string> => {
    const signed = await signedWebhook(text, secret, timestamp === undefined ? {} : { timestamp })
    return signed.headers.get('stripe-signature') ?? ''
  }
  const seconds = (): number => Math.floor(Date.now() / 1000)

  it('answers 400 and writes no row, whatever is wrong and whatever the Host says', async () => {
    const forgeries: Record<string, () => Promise<{ text: string; headers: Record<string, string> }>> = {
      unsigned: async () => ({ text: body, headers: {} }),
      'unsigned, from localhost': async () => ({
        text: body,
        headers: { host: 'localhost', 'x-forwarded-host': 'localhost' },
      }),
      'garbage signature': async () => ({ text: body, headers: { 'stripe-signature': 't=1,v1=00' } }),
      'another secret': async () => ({
        text: body,
        headers: { 'stripe-signature': await signature(body, 'whsec_other') },
      }),
      altered: async () => ({
        text: body.replace('victim', 'attacker'),
        headers: { 'stripe-signature': await signature(body) },
      }),
      'ten minutes old': async () => ({
        text: body,
        headers: { 'stripe-signature': await signature(body, undefined, seconds() - 600) },
      }),
      'a day ahead': async () => ({
        text: body,
        headers: { 'stripe-signature': await signature(body, undefined, seconds() + 86_400) },
      }),
      'signed, but no JSON': async () => ({
        text: 'not json',
        headers: { 'stripe-signature': await signature('not json') },
      }),
      'signed, but no event': async () => ({ text: '{}', headers: { 'stripe-signature': await signature('{}') } }),
      'signed null': async () => ({ text: 'null', headers: { 'stripe-signature': await signature('null') } }),
    }
    const before = await rows()
    for (const [name, make] of Object.entries(forgeries)) {
      const { text, headers } = await make()
      const answer = await post(shop.webhookUrl, text, { 'content-type': 'application/json', ...headers })
      expect(answer.status, name).toBe(400)
      expect(answer.text, name).not.toMatch(/whsec|select|insert/i)
    }
    expect(await rows()).toBe(before)
    expect(await shop.ledger('victim')).toEqual([])
  })

  it('still believes the real one', async () => {
    const answer = await post(shop.webhookUrl, body, { 'stripe-signature': await signature(body) })
    expect(answer).toEqual({ status: 200, text: '{"received":true}' })
    expect(await shop.ledger('victim')).toEqual(['purchase 100'])
  })
})
