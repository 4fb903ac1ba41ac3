import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Stripe from 'stripe'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Development, type DevOptions, startDevelopment } from '../../adapters/cli/dev/dev.js'
import { memoryStore } from '../../adapters/memory.js'
import { stripePayments } from '../../adapters/stripe/index.js'
import { CreditService } from '../../src/index.js'
import { commandLine, lastingStore, testFolder } from './command-line.js'
import { inEnvironment } from './environment.js'

/** What `creditkit dev` runs in a folder, until the test ends. */
async function development(options: Partial<DevOptions> = {}, cwd = testFolder()): Promise<Development> {
  const terminal = { ...SILENT, cwd }
  const started = await startDevelopment(terminal, { port: 0, ...options })
  if (started === null) throw new Error('development: somebody said no')
  onTestFinished(() => started.close())
  return started
}

const SILENT = {
  out: async () => undefined,
  err: () => undefined,
  isInteractive: false,
  isColourful: false,
  ask: async () => '',
}

/** A folder whose credits.ts exports what `service` makes, when it is loaded. */
function folderWith(service: () => unknown): string {
  const cwd = testFolder()
  const name = `creditkit-test-${randomUUID()}`
  Object.defineProperty(globalThis, Symbol.for(name), { value: service, configurable: true })
  writeFileSync(join(cwd, 'credits.ts'), `export const credits = globalThis[Symbol.for('${name}')]()\n`)
  return cwd
}

async function api(origin: string, path: string, body?: object): Promise<unknown> {
  const headers = { 'x-dev-user': 'eve', 'content-type': 'application/json' }
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(`${origin}/api/credits${path}`, init)
  return response.json()
}

/** Buy the first package as a browser would; the pay page's answer. */
async function buyFirst(origin: string): Promise<Response> {
  const [pack] = (await api(origin, '/packages')) as { id: number }[]
  const { checkoutUrl } = (await api(origin, '/checkouts', { packageId: pack?.id })) as { checkoutUrl: string }
  return fetch(checkoutUrl, { method: 'POST', body: new URLSearchParams({ action: 'pay' }), redirect: 'manual' })
}

describe('creditkit dev', () => {
  it('has sample data where there is no service, and sells through the local Stripe', async () => {
    const { origin, stripeUrl, file, userId, isSelling } = await development()
    expect([file, userId, isSelling]).toEqual([null, 'ada@example.com', true])
    const front = await (await fetch(origin)).text()
    expect(front).toContain('<b>ada@example.com</b>, a customer')
    expect(await (await fetch(`${origin}/credits`)).text()).toContain('Northwind Data')
    expect(await api(origin, '/balances')).toMatchObject({ enrichment: { balance: 0 } })
    const paid = await buyFirst(origin)
    expect(paid.url).toContain(stripeUrl)
    expect([paid.status, paid.headers.get('location')]).toEqual([303, expect.stringContaining(origin)])
    expect(await api(origin, '/balances')).toMatchObject({ enrichment: { balance: 500 } })
  })

  it('makes whoever asks a customer or an administrator', async () => {
    const { origin } = await development()
    const as = async (query: string) => {
      const response = await fetch(`${origin}/sign-in?${query}`, { redirect: 'manual' })
      const cookie = response.headers
        .getSetCookie()
        .map((one) => one.split(';')[0])
        .join('; ')
      return { cookie, location: response.headers.get('location') ?? '' }
    }
    const customer = await as('user=bob+%22smith')
    expect(customer.location).toBe('/credits')
    expect(await (await fetch(origin, { headers: customer })).text()).toContain('<b>bob &quot;smith</b>, a customer')
    expect((await fetch(`${origin}/credits/admin/users`, { headers: customer })).status).toBe(403)
    const admin = await as('admin=yes')
    expect((await fetch(`${origin}${admin.location}`, { headers: admin })).status).toBe(200)
    expect((await fetch(`${origin}/nowhere`)).status).toBe(404)
  })

  it('is reached by its own name alone', async () => {
    const { origin } = await development()
    const { port } = new URL(origin)
    const ask = (method: string) =>
      new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
        const headers = { host: `rebound.example:${port}` }
        get(`${origin}/api/credits/balances`, { method, headers }, (response) => {
          response.resume()
          resolve([response.statusCode, response.headers.location])
        }).once('error', reject)
      })
    expect(await ask('GET')).toEqual([303, `${origin}/api/credits/balances`])
    expect(await ask('POST')).toEqual([403, undefined])
  })

  it("serves the host's own service, lends it the local Stripe, and takes it back", async () => {
    const before = { STRIPE_SECRET_KEY: 'sk_live_of_the_host', APP_URL: undefined }
    onTestFinished(inEnvironment(before))
    const store = lastingStore()
    const service = () => new CreditService({ creditTypes: ['tea'], store, payments: stripePayments() })
    const cwd = folderWith(service)
    const running = await development({ user: 'eve' }, cwd)
    expect(running).toMatchObject({ file: 'credits.ts', userId: 'eve', isSelling: false })
    expect(process.env.STRIPE_API_URL).toBe(running.stripeUrl)
    const selling = service()
    await selling.marketplace.upsertPackage({ key: 'tea', name: 'Tea', creditAmount: 7, price: 100, creditType: 'tea' })
    expect((await buyFirst(running.origin)).status).toBe(303)
    expect(await selling.getAllBalances('eve')).toMatchObject({ tea: { balance: 7 } })
    await running.close()
    expect(process.env.STRIPE_SECRET_KEY).toBe('sk_live_of_the_host')
    expect(process.env.APP_URL).toBeUndefined()
    expect(process.env.STRIPE_API_URL).toBeUndefined()
  })

  it('says at once what is wrong with the store', async () => {
    onTestFinished(inEnvironment({ DATABASE_URL: 'postgres://127.0.0.1:1/none' }))
    const cwd = folderWith(() => new CreditService({ payments: stripePayments() }))
    const { code, stderr } = await commandLine(undefined, cwd).creditkit('dev', '--port', '0')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^creditkit: (UNAVAILABLE|STORE_NOT_CONFIGURED): /)])
    expect(process.env.STRIPE_API_URL).toBeUndefined()
  })

  it('refuses production, real money, a port that is taken and a file that is not there', async () => {
    const { creditkit } = commandLine()
    const restore = inEnvironment({ NODE_ENV: 'production' })
    const refused = await creditkit('dev', '--port', '0').finally(restore)
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('production') as string })

    const real = () => {
      const payments = stripePayments({
        stripe: new Stripe('sk_live_1'),
        webhookSecret: 'whsec_1',
        appUrl: 'http://a.test',
      })
      return new CreditService({ store: memoryStore(), payments })
    }
    expect(await commandLine(undefined, folderWith(real)).creditkit('dev', '--port', '0')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('real money') as string,
    })
    expect(process.env.STRIPE_API_URL).toBeUndefined()

    const { origin } = await development()
    const { port } = new URL(origin)
    expect(await creditkit('dev', '--port', port)).toMatchObject({
      code: 2,
      stderr: `creditkit: port ${port} is in use: pass another one as --port\n`,
    })
    expect(await creditkit('dev', '--port', '70000')).toMatchObject({ code: 2 })
    expect(await creditkit('dev', '--config', 'none.ts', '--port', '0')).toMatchObject({
      code: 2,
      stderr: 'creditkit: there is no file none.ts\n',
    })
  })

  it('asks before it brings credits to a database that is elsewhere', async () => {
    onTestFinished(inEnvironment({ DATABASE_URL: 'postgres://app:secret@db.example.com/app' }))
    const made: string[] = []
    const { creditkit, typing } = commandLine(
      undefined,
      folderWith(() => made.push('service')),
    )
    const alone = await creditkit('dev', '--port', '0')
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('leads to db.example.com') as string })
    expect(alone.stderr).not.toContain('secret')
    expect(await typing(['n'], 'dev', '--port', '0')).toMatchObject({ code: 1 })
    expect(made).toEqual([])
  })

  it('says where to go, and ends cleanly with Ctrl-C', async () => {
    const cli = fileURLToPath(new URL('../../adapters/cli/index.ts', import.meta.url))
    const tsx = import.meta.resolve('tsx')
    const child = spawn(process.execPath, ['--import', tsx, cli, 'dev', '--port', '0'], { cwd: testFolder() })
    let output = ''
    const isUp = new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`it ended:\n${output}`)))
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          output += chunk.toString()
          if (output.includes('Ctrl-C ends it.')) resolve()
        })
    })
    await isUp
    const origin = /Start here +(\S+)/.exec(output)?.[1] ?? ''
    expect((await fetch(origin)).status).toBe(200)
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
    await expect(fetch(origin)).rejects.toThrow()
    expect(output).not.toMatch(/warning|error/i)
  })
})
