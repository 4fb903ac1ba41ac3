import { describe, expect, it } from 'vitest'
import { type Bench, checkoutRequest, there } from './bench.js'

export function testPages(bench: Bench): void {
  describe('the page where a customer manages subscriptions, cards and invoices', () => {
    it('has a URL', async () => {
      const { customerId } = await bench.newBuyer()
      for (const returnUrl of [null, `${bench.appUrl}/account`]) {
        const answer = await bench.provider.createPortalSession({ customerId, returnUrl })
        expect(answer).toEqual({ url: expect.stringMatching(/^https?:\/\//) as string })
      }
    })

    it('says that the customer is gone', async () => {
      const { customerId } = await bench.newBuyer()
      await bench.act.deleteCustomer(customerId)
      expect(await bench.provider.createPortalSession({ customerId, returnUrl: null })).toBe('customer_gone')
    })
  })

  describe('where buyers may be sent back to', () => {
    it('is made absolute', () => {
      const { provider, appUrl } = bench
      expect(provider.resolveReturnUrl('/account?paid=1#credits')).toBe(`${appUrl}/account?paid=1#credits`)
      expect(provider.resolveReturnUrl(`${appUrl}/account`)).toBe(`${appUrl}/account`)
    })

    it.each([
      'https://evil.example/account',
      '//evil.example/account',
      '/\\evil.example/account',
      'https://app.example.evil.example/',
      'javascript:alert(1)',
      'data:text/html,hello',
      'blob:https://app.example/1234',
      'ftp://app.example/',
      '/account\n//evil.example',
    ])('is never %j', (url) => {
      expect(bench.provider.resolveReturnUrl(url)).toBeNull()
    })

    it('is never another origin with ours in front of an @', () => {
      const { host, protocol } = new URL(bench.appUrl)
      expect(bench.provider.resolveReturnUrl(`${protocol}//${host}@evil.example/`)).toBeNull()
      expect(bench.provider.resolveReturnUrl(`${protocol}//somebody:secret@${host}/`)).toBeNull()
    })

    it.each(['https:evil.example', 'http:evil.example', '///evil.example', '/%5Cevil.example', './/evil.example'])(
      'stays on an allowed origin, if it is understood at all: %j',
      (url) => {
        const resolved = bench.provider.resolveReturnUrl(url)
        if (resolved !== null) expect(new URL(resolved).origin).toBe(bench.appUrl)
      },
    )

    it('is what a checkout is opened with', async () => {
      const pages = {
        successUrl: there(bench.provider.resolveReturnUrl('/done')),
        cancelUrl: there(bench.provider.resolveReturnUrl('/back')),
      }
      const request = checkoutRequest(await bench.newBuyer(), pages)
      expect(await bench.provider.createCheckout(request)).toMatchObject({ state: 'open' })
    })
  })

  describe("the provider's own prices", () => {
    it.each([
      ['paid once', false],
      ['billed again and again', true],
    ])('that are %s are told with currency and unit price', async (_case, recurring) => {
      const priceId = await bench.act.newPrice({ unitPriceMinor: 750, currency: 'eur', monthly: recurring })
      expect(await bench.provider.getPrice(priceId)).toEqual({ currency: 'eur', unitPriceMinor: 750, recurring })
    })

    it('are null when they are not for sale any more', async () => {
      const priceId = await bench.act.newPrice({ unitPriceMinor: 750, currency: 'eur', monthly: false })
      await bench.act.archivePrice(priceId)
      expect(await bench.provider.getPrice(priceId)).toBeNull()
    })
  })

  describe('the provider', () => {
    it('says under which names its ids stand in metadata, and which header carries the signature', () => {
      const { name, metadataNames, signatureHeader, livemode } = bench.provider
      const names = [name, ...Object.values(metadataNames)]
      expect(names).not.toContain('')
      expect(new Set(Object.values(metadataNames)).size).toBe(4)
      expect(signatureHeader).toMatch(/^[a-z0-9-]+$/)
      expect({ test: livemode, other: bench.otherMode.livemode }).toEqual({ test: false, other: true })
    })
  })
}
