import { deepEqual, equal, match } from 'node:assert/strict'
import type { Step } from './demo.js'
import type { Shop } from './shop.js'
import { balanceOf } from './use.js'

/** Ada buys, as an app and a browser do it together. */
export async function selling(shop: Shop): Promise<Step> {
  const { origin, userId } = shop
  const rows: { request: string; answer: number; what: string }[] = []
  const send = async (url: string, what: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { 'x-dev-user': userId, ...(init.method === 'POST' && { origin: new URL(url).origin }) }
    const response = await fetch(url, { headers, redirect: 'manual', ...init })
    rows.push({ request: `${init.method ?? 'GET'} ${shortPath(url)}`, answer: response.status, what })
    return response
  }
  const packages = (await read(await send(`${origin}/api/credits/packages`, 'Ada looks at the packages'))) as {
    id: number
    name: string
  }[]
  equal(packages[0]?.name, 'Starter')
  const order = {
    method: 'POST',
    headers: { 'x-dev-user': userId, 'content-type': 'application/json' },
    body: JSON.stringify({ packageId: packages[0].id }),
  }
  const ordered = await send(`${origin}/api/credits/checkouts`, 'she picks Starter: 100 credits for $9.99', order)
  const { sessionId, checkoutUrl } = (await read(ordered)) as { sessionId: string; checkoutUrl: string }
  match(await (await send(checkoutUrl, "the local Stripe's pay page")).text(), /Pay \$9\.99/)
  const body = new URLSearchParams({ action: 'pay', email: 'ada@example.com' })
  equal((await send(checkoutUrl, 'she pays', { method: 'POST', body })).status, 303)
  const back = await send(`${origin}/api/credits/checkouts/${sessionId}`, 'back in the shop: is it paid?')
  equal(((await read(back)) as { status: string }).status, 'fulfilled')
  equal(await balanceOf(shop), 100)
  shop.sessionId = sessionId
  return { caption: 'Ada buys a package', rows }
}

/** The webhook came while she paid. Stripe may deliver it twice, and anybody may forge one. */
export async function webhooks(shop: Shop): Promise<Step> {
  const { stripe } = shop
  const completed = stripe.events.find(({ type }) => type === 'checkout.session.completed')
  const delivered = stripe.deliveries.find(({ eventId }) => eventId === completed?.id)
  const rows: { webhook: string; answer: number; balance: number }[] = []
  const note = async (webhook: string, answer: number) =>
    void rows.push({ webhook, answer, balance: await balanceOf(shop) })
  await note('checkout.session.completed', delivered?.status ?? 0)
  const [again] = await stripe.deliver({ eventIds: [completed?.id ?? ''] })
  await note('the same event again', again?.status ?? 0)
  const forged = await fetch(stripe.webhookUrl ?? '', {
    method: 'POST',
    headers: { 'stripe-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}` },
    body: JSON.stringify(completed),
  })
  await note('the same event, not signed by Stripe', forged.status)
  deepEqual(
    rows.map(({ answer, balance }) => [answer, balance]),
    [
      [200, 100],
      [200, 100],
      [400, 100],
    ],
  )
  return { caption: 'Stripe tells the shop: a repeat changes nothing, a forgery is refused', rows }
}

/** The credits of a failed job, then all the money. */
export async function givingBack(shop: Shop): Promise<Step> {
  const { credits, stripe, userId, sessionId } = shop
  const history = await credits.getTransactionHistory(userId, 'enrichment')
  const transactionId = history.find(({ idempotencyKey }) => idempotencyKey === 'job-1')?.id ?? ''
  await credits.refundCredits({ transactionId, userId, reason: 'Refund: job-1 failed' })
  const rows = [{ event: 'job-1 failed: its use is refunded', credits: 30, balance: await balanceOf(shop) }]
  await stripe.refund({ sessionId })
  rows.push({ event: 'Stripe refunds the $9.99: clawback', credits: -100, balance: await balanceOf(shop) })
  deepEqual(
    rows.map(({ balance }) => balance),
    [75, -25],
  )
  const notes = ['25 credits were spent already. They stay as debt, which her next purchase repays.']
  return { caption: 'Credits go back to her, then money does', rows, notes }
}

async function read(response: Response): Promise<unknown> {
  equal(response.status, 200)
  return response.json()
}

const shortPath = (url: string) => new URL(url).pathname.replace(/(cs_test_.{4}).*/, '$1…')
