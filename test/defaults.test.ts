import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreditService } from 'creditkit'
import { pgliteStore } from 'creditkit/adapters/pglite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

beforeEach(() => {
  vi.stubEnv('DATABASE_URL', undefined)
  vi.stubEnv('CREDITS_DATA_DIR', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

describe('a service that is given no store', () => {
  it('shares one store with every other in the process, and none closes it under another', async () => {
    const [first, second] = [new CreditService(), new CreditService()]
    await first.addCredits('ann', 100, 'calling', 'gift')
    expect(await second.getBalance('ann', 'calling')).toBe(100)
    await first.deductCredits('ann', 10, 'calling', 'call')
    expect(await second.getBalance('ann', 'calling')).toBe(90)
    await first.close()
    expect(await second.checkBalance('ann', 'calling', 1)).toMatchObject({ balance: 90 })
    await second.close()
    const third = new CreditService()
    expect(await third.getBalance('ann', 'calling')).toBe(0)
    await third.close()
  })

  it('opens again when it is used after it was closed', async () => {
    const credits = new CreditService()
    await credits.getBalance('ann', 'calling')
    await credits.close()
    await credits.addCredits('ann', 1, 'calling', 'gift')
    expect(await credits.getBalance('ann', 'calling')).toBe(1)
    await credits.close()
  })

  it('keeps credits in CREDITS_DATA_DIR', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'creditkit-data-'))
    vi.stubEnv('CREDITS_DATA_DIR', join(directory, 'credits'))
    const before = new CreditService()
    await before.addCredits('ann', 7, 'calling', 'gift')
    await before.close()
    const after = new CreditService()
    expect(await after.getBalance('ann', 'calling')).toBe(7)
    await after.close()
    rmSync(directory, { recursive: true })
  })

  it('refuses to keep credits in memory in production, and is usable once it is configured', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    const credits = new CreditService()
    const refused = credits.getBalance('ann', 'calling')
    await expect(refused).rejects.toMatchObject({ code: 'STORE_NOT_CONFIGURED' })
    await expect(refused).rejects.toThrow(/DATABASE_URL.*CREDITS_DATA_DIR/)
    vi.stubEnv('NODE_ENV', 'development')
    expect(await credits.getBalance('ann', 'calling')).toBe(0)
    await credits.close()
  })

  it('says what DATABASE_URL must look like, without showing it', async () => {
    vi.stubEnv('DATABASE_URL', 'mysql://root:hunter2@db/credits')
    const refused = new CreditService().getBalance('ann', 'calling')
    await expect(refused).rejects.toMatchObject({ code: 'STORE_NOT_CONFIGURED' })
    await expect(refused).rejects.not.toThrow(/hunter2/)
  })
})

describe('stores on one data directory', () => {
  it('can be used one after the other, whichever was made first', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'creditkit-data-'))
    const dataDir = join(directory, 'credits')
    const first = new CreditService({ store: pgliteStore({ dataDir }) })
    const second = new CreditService({ store: pgliteStore({ dataDir }) })
    await first.addCredits('ann', 5, 'calling', 'gift')
    await first.close()
    expect(await second.getBalance('ann', 'calling')).toBe(5)
    await second.close()
    rmSync(directory, { recursive: true })
  })

  it('share it within a process, so that services on them agree at once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'creditkit-data-'))
    const dataDir = join(directory, 'credits')
    const [first, second] = [dataDir, `${directory}/./credits`].map(
      (path) => new CreditService({ store: pgliteStore({ dataDir: path }) }),
    )
    await first?.addCredits('ann', 5, 'calling', 'gift')
    expect(await second?.getBalance('ann', 'calling')).toBe(5)
    await first?.deductCredits('ann', 2, 'calling', 'call')
    expect(await second?.getBalance('ann', 'calling')).toBe(3)
    await first?.close()
    await second?.addCredits('ann', 1, 'calling', 'gift')
    await second?.close()
    rmSync(directory, { recursive: true })
  })
})
