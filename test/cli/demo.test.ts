import { describe, expect, it } from 'vitest'
import { commandLine } from './command-line.js'

describe('creditkit demo', () => {
  it('sells, spends, gives back and verifies, tells it without colours where nobody looks, and leaves no server open', async () => {
    const { code, stdout, stderr } = await commandLine().creditkit('demo')
    expect([code, stderr]).toEqual([0, ''])
    // It checks every number it shows; these are the ones people come for.
    expect(stdout).toMatch(/POST \/c\/pay\/cs_test_\S+ +303 +she pays/)
    expect(stdout).toMatch(/the same event, not signed by Stripe +400 +100/)
    expect(stdout).toMatch(/job-3: 500 leads +402 +45/)
    expect(stdout).toMatch(/5 +clawback +-100 +-25 +Payment refunded: Starter/)
    expect(stdout).toMatch(/after it: it cost 12 +38 +0/)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('verify: ok')
    expect(stdout).not.toContain('\u001b')
    const [, shop = '', stripe = ''] = /Shop (http\S+), local Stripe (http\S+),/.exec(stdout) ?? []
    for (const url of [shop, stripe]) await expect(fetch(url)).rejects.toThrow('fetch failed')
  })
})
