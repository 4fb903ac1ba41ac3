// npm run dev: the app as it is in production, beside a local Stripe. No account, no key, no money.
import { fakeStripe } from 'creditkit/testing'

if (!process.env.STRIPE_SECRET_KEY) {
  const port = process.env.PORT ?? '3000'
  const stripe = await fakeStripe({ webhookUrl: `http://127.0.0.1:${port}/api/webhooks/stripe` })
  process.env.STRIPE_API_URL = stripe.url
  process.env.STRIPE_SECRET_KEY = stripe.secretKey
  process.env.STRIPE_WEBHOOK_SECRET = stripe.webhookSecret
  process.env.APP_URL ??= `http://localhost:${port}`
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stripe.close())
}

await import('./server.js')
