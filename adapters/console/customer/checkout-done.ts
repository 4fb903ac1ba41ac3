import type { CheckoutStatus, CheckoutVerification } from '../../../src/checkouts.js'
import type { Content, Page, Visit } from '../frame.js'
import { html } from '../html.js'
import { buttonLink, callout, type Tone } from '../parts.js'

/** How often the page looks again by itself: after 2, 3, 4 … seconds. */
const MAX_LOOKS = 15

/** Where buyers come back to. They often arrive before the payment does, so it looks again for a while. */
export const checkoutDonePage: Page = {
  method: 'GET',
  path: '/checkout/done',
  role: 'user',
  show: async (visit) => {
    const sessionId = visit.query.get('session_id') ?? ''
    const verification = await visit.run('verifyCheckout', { sessionId })
    const { status } = verification
    const looks = Math.min(MAX_LOOKS, Math.max(1, Math.trunc(Number(visit.query.get('look'))) || 1))
    const isOpen = status === 'processing' || status === 'open'
    if (!isOpen || looks === MAX_LOOKS) return result(visit, verification)
    const next = visit.path('/checkout/done', { session_id: sessionId, look: looks + 1 })
    return { ...result(visit, verification), refresh: { seconds: looks + 1, url: next } }
  },
}

const OUTCOMES: Readonly<Record<CheckoutStatus, { title: string; tone: Tone; text: string }>> = {
  fulfilled: { title: 'Thank you', tone: 'good', text: 'Your payment has arrived, and your credits are there.' },
  processing: {
    title: 'Your payment is on its way',
    tone: 'warn',
    text: 'Your credits come as soon as it arrives; bank debits take some days. You can leave this page.',
  },
  open: {
    title: 'Not paid yet',
    tone: 'warn',
    text: 'We have not heard of a payment so far. If you have just paid, this page will change in a moment.',
  },
  expired: {
    title: 'The checkout has expired',
    tone: 'calm',
    text: 'It was not paid in time. Nothing was charged.',
  },
  failed: { title: 'The payment failed', tone: 'bad', text: 'Nothing was charged, and no credits were added.' },
  refunded: { title: 'This payment was returned', tone: 'calm', text: 'The money went back to you.' },
}

function result(visit: Visit, { status, metadata }: CheckoutVerification): Content {
  const { title, tone, text } = OUTCOMES[status]
  const { show } = visit
  const amount = Number(metadata.creditAmount)
  const what = `${show.signed(amount)} ${show.creditType(metadata.creditType)} credits`
  const isRetry = status === 'expired' || status === 'failed'
  return {
    title,
    body: html`<div class="stack">
      <div role="status">
        ${callout(tone, status === 'fulfilled' && amount > 0 ? what : title, html`<p>${text}</p>`)}
      </div>
      <div class="buttons">
        ${isRetry ? buttonLink(visit.path('/buy'), 'Try again', 'primary') : ''}
        ${buttonLink(visit.path('/'), 'To the overview', isRetry ? 'plain' : 'primary')}
        ${buttonLink(visit.path('/purchases'), 'All purchases')}
      </div>
    </div>`,
  }
}
