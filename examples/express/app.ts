import { ERROR_CODES, InsufficientCreditsError, isCreditError } from 'creditkit'
import { webhookHandler } from 'creditkit/adapters/express'
import express, { type NextFunction, type Request, type Response } from 'express'
import { credits } from './credits.js'
import { buyPage, successPage } from './pages.js'
import { signedInUser } from './signed-in-user.js'

export const app = express()

// Before the body parsers: the signature is over the raw bytes.
app.post('/api/webhooks/stripe', webhookHandler(credits))

app.use(express.json(), express.urlencoded({ extended: false }))

app.get('/', async (req, res) => {
  const userId = signedInUser(req)
  const [{ enrichment }, packages, transactions] = await Promise.all([
    credits.getAllBalances(userId),
    credits.marketplace.getPackages({ creditType: 'enrichment' }),
    credits.getTransactionHistory(userId, 'enrichment', 10),
  ])
  res.send(buyPage({ userId, balance: enrichment.balance, packages, transactions }))
})

app.post('/buy', async (req, res) => {
  const { packageId } = req.body as { packageId?: string }
  const { checkoutUrl } = await credits.marketplace.createCheckout({
    userId: signedInUser(req),
    packageId: Number(packageId),
    successUrl: '/success?session_id={CHECKOUT_SESSION_ID}', // Stripe fills in the id
    cancelUrl: '/',
  })
  res.redirect(303, checkoutUrl)
})

// Buyers often arrive before the webhook does: `verifyCheckout` asks Stripe, and fulfils what is paid.
app.get('/success', async (req, res) => {
  const { session_id: sessionId = '' } = req.query as { session_id?: string }
  const { status, metadata } = await credits.marketplace.verifyCheckout({ userId: signedInUser(req), sessionId })
  res.send(successPage(status, metadata.creditAmount))
})

app.post('/api/enrich', async (req, res) => {
  const { jobId, leads } = req.body as { jobId?: string; leads?: number }
  const { id, balanceAfter } = await credits.deductCredits({
    userId: signedInUser(req),
    amount: Number(leads),
    creditType: 'enrichment',
    description: `Enriched ${Number(leads)} leads`,
    // One job is charged once, however often the request is sent.
    idempotencyKey: jobId,
  })
  // … do the work here. If it fails: await credits.refundCredits({ transactionId: id })
  res.json({ transactionId: id, balance: balanceAfter })
})

app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
  if (!isCreditError(error)) {
    next(error)
    return
  }
  const { httpStatus } = ERROR_CODES[error.code] // 402 when credits are short, 400 for bad input, …
  const shortfall = error instanceof InsufficientCreditsError ? { shortfall: error.shortfall } : {}
  res.status(httpStatus).json({ error: error.code, message: error.message, ...shortfall })
})
