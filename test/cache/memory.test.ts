import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory/cache.js'
import { testCache } from '../conformance/cache.js'

testCache('memoryCache', async () => ({ cache: memoryCache({ ttlSeconds: 2 }), close: async () => undefined }))

describe('memoryCache', () => {
  it('keeps balances for 60 seconds by default', () => {
    expect(memoryCache().ttlSeconds).toBe(60)
  })

  it('forgets the least recently used account when it is full', async () => {
    const cache = memoryCache({ maxEntries: 100 })
    for (let user = 0; user < 1000; user++) await cache.set(`user_credits:${user}:calling`, at(user), 60_000)
    const found = await Promise.all(
      Array.from({ length: 1000 }, (_, user) => cache.get(`user_credits:${user}:calling`)),
    )
    expect(found.filter((balance) => balance !== null)).toHaveLength(100)
    expect(found[999]).toEqual(at(999))
  })

  it('stays small with a million users', async () => {
    const cache = memoryCache()
    const before = process.memoryUsage().heapUsed
    for (let user = 0; user < 1_000_000; user++) await cache.set(`user_credits:${user}:calling`, at(user), 60_000)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000)
    expect(await cache.get('user_credits:0:calling')).toBeNull()
    expect(await cache.get('user_credits:999999:calling')).toEqual(at(999_999))
  })

  it('keeps no process alive', () => {
    const script = `
      const { memoryCache } = await import('./adapters/memory/cache.ts')
      const cache = memoryCache()
      await cache.set('key', { balance: 1, version: 1 }, 60_000)
      await cache.get('key')
      console.log('used')`
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(run).toMatchObject({ status: 0, signal: null, stdout: 'used\n' })
  })
})

function at(version: number) {
  return { balance: version, version }
}
