import { ERROR_CODES, InsufficientCreditsError, isCreditError } from 'creditkit'
import { webhookHandler } from 'creditkit/adapters/hono'
import { Hono } from 'hono'
import { credits } from './credits.js'
import { buyPage, successPage } from './pages.js'
import { signedInUser } from './signed-in-user.js'

export const app = new Hono()

app.post('/api/webhooks/stripe', webhookHandler(credits))

app.get('/', async (c) => {
  const userId = signedInUser(c)
  const [{ enrichment }, packages, transactions] = await Promise.all([
    credits.getAllBalances(userId),
    credits.marketplace.getPackages({ creditType: 'enrichment' }),
    credits.getTransactionHistory(userId, 'enrichment', 10),
  ])
  return c.html(buyPage({ userId, balance: enrichment.balance, packages, transactions }))
})

app.post('/buy', async (c) => {
  const { packageId } = await c.req.parseBody()
  const { checkoutUrl } = await credits.marketplace.createCheckout({
    userId: signedInUser(c),
    packageId: Number(packageId),
    successUrl: '/success?session_id={CHECKOUT_SESSION_ID}', // Stripe fills in the id
    cancelUrl: '/',
  })
  return c.redirect(checkoutUrl, 303)
})

// Buyers often arrive before the webhook does: `verifyCheckout` asks Stripe, and fulfils what is paid.
app.get('/success', async (c) => {
  const sessionId = c.req.query('session_id') ?? ''
  const { status, metadata } = await credits.marketplace.verifyCheckout({ userId: signedInUser(c), sessionId })
  return c.html(successPage(status, metadata.creditAmount))
})

app.post('/api/enrich', async (c) => {
  const { jobId, leads } = await c.req.json<{ jobId?: string; leads?: number }>()
  const { id, balanceAfter } = await credits.deductCredits({
    userId: signedInUser(c),
    amount: Number(leads),
    creditType: 'enrichment',
    description: `Enriched ${Number(leads)} leads`,
    // One job is charged once, however often the request is sent.
    idempotencyKey: jobId,
  })
  // … do the work here. If it fails: await credits.refundCredits({ transactionId: id })
  return c.json({ transactionId: id, balance: balanceAfter })
})

app.onError((error, c) => {
  if (!isCreditError(error)) throw error
  const { httpStatus } = ERROR_CODES[error.code] // 402 when credits are short, 400 for bad input, …
  const shortfall = error instanceof InsufficientCreditsError ? { shortfall: error.shortfall } : {}
  return c.json({ error: error.code, message: error.message, ...shortfall }, httpStatus)
})
