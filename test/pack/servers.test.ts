import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Folder, installedExample } from './folder.js'
import { freePort, run, startApp } from './run.js'
import { balanceOf, buyStarter, enrich, expectToSellAndSpend, forgeWebhook, openShop } from './shop.js'

describe.each(['express', 'hono'])('examples/%s, from the packed tarball', (name) => {
  let folder: Folder

  beforeAll(async () => {
    folder = await installedExample(name)
  })
  afterAll(() => folder.remove())

  it('compiles against the published types', async () => {
    await run('npm', ['run', 'typecheck'], { cwd: folder.path })
  })

  it('sells, fulfils by webhook, spends, refuses and claws back in production, and keeps it over a restart', async () => {
    const shop = await openShop(folder.path)
    await expectToSellAndSpend(shop, 'ada')
    await shop.app.stop()

    const { app } = await openShop(folder.path)
    expect(await balanceOf(app.url, 'ada')).toBe(-30)
  })

  it('lets a person click through with `npm run dev` and no key', async () => {
    const app = await startApp('dev', { cwd: folder.path, port: await freePort() })
    await buyStarter(app.url.replace('127.0.0.1', 'localhost'), 'bob')
    expect((await enrich(app.url, 'bob', 'job-1', 40)).status).toBe(200)
    expect((await enrich(app.url, 'bob', 'job-2', 100)).status).toBe(402)
    expect(await balanceOf(app.url, 'bob')).toBe(60)
    expect(await forgeWebhook(`${app.url}/api/webhooks/stripe`, {})).toBe(400)
  })
})
