import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { freshFolder } from './folder.js'
import { freePort, run, startApp } from './run.js'

const NPM = ['--prefer-offline', '--no-audit', '--no-fund']

/** What somebody who never saw creditkit types, up to the first start. */
async function newProject(...chosen: string[]) {
  const folder = freshFolder()
  onTestFinished(() => folder.remove())
  const type = (command: string, ...args: string[]) => run(command, args, { cwd: folder.path })
  await type('npm', 'init', '-y')
  await type('npm', 'install', ...NPM, inject('tarball'))
  const said = await type('npx', 'creditkit', 'init', '--yes', ...chosen)
  // The first step it names; the second one starts the app.
  const [, packages = ''] = /1\. npm install (.+)/.exec(said) ?? []
  await type('npm', 'install', ...NPM, ...packages.split(' '))
  const [, script = ''] = /2\. (node \S+)/.exec(said) ?? []
  await type('npm', 'pkg', 'set', `scripts.dev=${script}`, 'scripts.start=node server.mjs')
  return { ...folder, type }
}

describe('an empty folder, the packed tarball and `creditkit init`', () => {
  it('buys and spends at once, and lets nobody in when deployed by accident', { timeout: 60_000 }, async () => {
    const folder = await newProject('--framework', 'hono', '--database', 'pglite')
    const app = await startApp('dev', { cwd: folder.path, port: await freePort() })

    const signedIn = await fetch(`${app.url}/dev/sign-in?user=ada`, { redirect: 'manual' })
    const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';')
    const ask = async (path: string, body?: object) => {
      const headers = { cookie, 'content-type': 'application/json' }
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
      const response = await fetch(`${app.url}${path}`, { headers, ...init })
      return { status: response.status, body: (await response.json()) as unknown }
    }

    const { body: packages } = await ask('/api/credits/packages')
    expect(packages).toMatchObject([
      { key: 'starter', creditAmount: 100, price: 999 },
      { key: 'growth', creditAmount: 500 },
    ])
    const [starter] = packages as { id: number }[]
    expect(await ask('/api/report', {})).toMatchObject({ status: 402, body: { available: 0, shortfall: 30 } })

    const { body: checkout } = await ask('/api/credits/checkouts', { packageId: starter?.id })
    const { checkoutUrl } = checkout as { checkoutUrl: string }
    expect(await (await fetch(checkoutUrl)).text()).toContain('Pay $9.99')
    // Nobody goes back to the shop: the webhook alone brings the credits.
    const pay = { method: 'POST', body: new URLSearchParams({ action: 'pay' }), redirect: 'manual' } as const
    expect((await fetch(checkoutUrl, pay)).status).toBe(303)
    expect(await ask('/api/credits/balances')).toMatchObject({ status: 200, body: { credits: { balance: 100 } } })
    expect(await (await fetch(`${app.url}/credits`, { headers: { cookie } })).text()).toMatch(/\b100\b/)

    for (const balance of [70, 40, 10]) {
      expect((await ask('/api/report', {})).status).toBe(200)
      expect((await ask('/api/credits/balances')).body).toMatchObject({ credits: { balance } })
    }
    expect(await ask('/api/report', {})).toMatchObject({ status: 402, body: { available: 10, buyUrl: '/credits/buy' } })
    await app.stop()
    expect(app.output()).not.toMatch(/error|warning/i)

    // The same files on a server where NODE_ENV was forgotten.
    const env = { STRIPE_SECRET_KEY: 'sk_test_1', STRIPE_WEBHOOK_SECRET: 'whsec_1', APP_URL: 'https://a.example' }
    const deployed = await startApp('start', { cwd: folder.path, env, port: await freePort() })
    const stranger = (path: string) => fetch(`${deployed.url}${path}`, { headers: { cookie: 'dev-user=admin' } })
    expect((await stranger('/api/credits/packages')).status).toBe(200)
    expect((await stranger('/api/credits/balances')).status).toBe(401)
    expect((await stranger('/api/credits/admin/users')).status).toBe(401)
    expect((await stranger('/credits/admin/users')).status).toBe(401)
    expect((await stranger('/dev/sign-in?user=admin')).status).toBe(404)
    expect((await fetch(`${deployed.url}/api/report`, { method: 'POST' })).status).toBe(401)
  })

  it('runs the demo, and the other frameworks with plain node', async () => {
    const folder = await newProject('--framework', 'express', '--database', 'pglite')
    expect(await folder.type('npx', 'creditkit', 'demo')).toContain('verify: ok')
    const express = await startApp('dev', { cwd: folder.path, port: await freePort() })
    expect(await (await fetch(`${express.url}/api/credits/packages`)).json()).toMatchObject([{ key: 'starter' }, {}])
    await express.stop()

    await folder.type('rm', 'credits-routes.mjs', 'credits-caller.mjs', 'server.mjs')
    expect(await folder.type('npx', 'creditkit', 'init', '--yes', '--framework', 'node')).toContain('Wrote')
    expect(existsSync(join(folder.path, 'server.mjs'))).toBe(true)
    const node = await startApp('dev', { cwd: folder.path, port: await freePort() })
    expect(await (await fetch(`${node.url}/api/credits/packages`)).json()).toMatchObject([{ key: 'starter' }, {}])
  })
})
