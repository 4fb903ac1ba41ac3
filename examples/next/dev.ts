// npm run dev: `next dev` beside a local Stripe. No account, no key, no money.
import { fakeStripe } from 'creditkit/testing'
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'

const port = process.env.PORT ?? '3000'
const env: NodeJS.ProcessEnv = { ...process.env, APP_URL: process.env.APP_URL ?? `http://localhost:${port}` }

if (!env.STRIPE_SECRET_KEY) {
  const stripe = await fakeStripe({ webhookUrl: `http://127.0.0.1:${port}/api/webhooks/stripe` })
  env.STRIPE_API_URL = stripe.url
  env.STRIPE_SECRET_KEY = stripe.secretKey
  env.STRIPE_WEBHOOK_SECRET = stripe.webhookSecret
}

const next = createRequire(import.meta.url).resolve('next/dist/bin/next')
const child = spawn(process.execPath, [next, 'dev', '--hostname', '127.0.0.1', '--port', port], {
  env,
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal))
child.once('exit', (code) => process.exit(code ?? 0))
