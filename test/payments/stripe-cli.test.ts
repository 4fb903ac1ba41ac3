import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

const run = promisify(execFile)

/**
 * Stripe's own command line. No dependency of ours: it is 31 MB, and a lock file that was made where not every platform's
 * package can be had would not install on the others. So it is installed by the first run.
 */
const home = fileURLToPath(new URL('../../node_modules/.cache/stripe-cli/', import.meta.url))
const cli = join(home, 'node_modules/@stripe/cli/bin/shim.js')

async function installCli(): Promise<void> {
  if (existsSync(cli)) return
  await mkdir(home, { recursive: true })
  const options = ['--prefix', home, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']
  await run('npm', ['install', ...options, '@stripe/cli@1.52.0'], { shell: process.platform === 'win32' })
}

let shop: Shop
let folder: string
beforeAll(async () => {
  await installCli()
  shop = await openShop()
  folder = await mkdtemp(join(tmpdir(), 'creditkit-stripe-cli-'))
}, 180_000)
afterAll(async () => {
  await shop.close()
  await rm(folder, { recursive: true })
})

/** Stripe's own command line, pointed at the local Stripe. */
async function stripe(...args: string[]): Promise<string> {
  const { url, secretKey } = shop.stripe
  const env = { ...process.env, XDG_CONFIG_HOME: folder, STRIPE_CLI_TELEMETRY_OPTOUT: '1' }
  const { stdout } = await run(process.execPath, [cli, ...args, '--api-base', url, '--api-key', secretKey], { env })
  await shop.stripe.idle()
  return stdout
}

/** A file of API calls, as the command line replays them. */
async function fixtures(...calls: { path: string; params: object }[]): Promise<string> {
  const file = join(folder, 'fixtures.json')
  const steps = calls.map((call, index) => ({ name: `step_${index}`, method: 'post', ...call }))
  await writeFile(file, JSON.stringify({ _meta: { template_version: 0 }, fixtures: steps }))
  return stripe('fixtures', file)
}

async function paymentOf(sessionId: string): Promise<string> {
  const { payment_intent } = await shop.stripe.stripe.checkout.sessions.retrieve(sessionId)
  if (typeof payment_intent !== 'string') throw new Error('paymentOf: the session is not paid')
  return payment_intent
}

describe('the Stripe CLI', { timeout: 60_000 }, () => {
  it.each([
    'checkout.session.completed',
    'checkout.session.async_payment_succeeded',
    'checkout.session.async_payment_failed',
    'checkout.session.expired',
    'payment_intent.succeeded',
    'payment_intent.payment_failed',
    'charge.refunded',
    'charge.dispute.created',
    'charge.dispute.closed',
    'invoice.paid',
    'invoice.payment_failed',
    'customer.subscription.created',
    'customer.subscription.updated',
    'customer.subscription.deleted',
    'customer.deleted',
    'setup_intent.succeeded',
    'payment_method.detached',
  ])('triggers %s, which is answered with 200 and grants nobody anything', async (type) => {
    const before = shop.stripe.deliveries.length
    await stripe('trigger', type)
    // Bank debits of the fixtures settle two seconds later.
    await expect
      .poll(
        async () => {
          await shop.stripe.tick()
          return shop.stripe.events.some((event) => event.type === type)
        },
        { timeout: 10_000 },
      )
      .toBe(true)
    await shop.stripe.idle()
    const answers = shop.stripe.deliveries.slice(before).map(({ status }) => status)
    expect(answers.length).toBeGreaterThan(0)
    expect(new Set(answers)).toEqual(new Set([200]))
    const { rows } = await shop.pool.query('select count(*)::int as rows from creditkit.credit_transactions')
    expect(rows).toEqual([{ rows: 0 }])
  })

  it('refunds a purchase of ours in two parts, and its credits go with them', async () => {
    const userId = shop.newBuyer()
    const payment_intent = await paymentOf(await shop.buy(userId))
    await fixtures(
      { path: '/v1/refunds', params: { payment_intent, amount: 333 } },
      { path: '/v1/refunds', params: { payment_intent, amount: 666 } },
    )
    // Both may have happened before we heard of the first.
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
    expect((await shop.ledger(userId))[1]).toMatch(/^clawback -(33|100)$/)
  })
})
