import { describe, expect, it } from 'vitest'
import { stripePayments } from '../../adapters/stripe/index.js'

const payments = stripePayments({
  secretKey: 'sk_test_1',
  webhookSecret: 'whsec_1',
  appUrl: 'https://app.example/base',
  allowedOrigins: ['https://shop.example', 'http://localhost:3000/'],
})

describe('resolveReturnUrl', () => {
  it.each([
    ['https://app.example/thanks', 'https://app.example/thanks'],
    ['https://APP.example:443/thanks', 'https://app.example/thanks'],
    ['https://shop.example/a?b=c#d', 'https://shop.example/a?b=c#d'],
    ['http://localhost:3000/', 'http://localhost:3000/'],
    ['/billing', 'https://app.example/billing'],
    ['billing', 'https://app.example/base/billing'],
    ['?paid=1', 'https://app.example/base/?paid=1'],
    ['/done?s={CHECKOUT_SESSION_ID}', 'https://app.example/done?s={CHECKOUT_SESSION_ID}'],
    ['/done/{CHECKOUT_SESSION_ID}', 'https://app.example/done/{CHECKOUT_SESSION_ID}'],
    ['/redirect?to=https://evil.example', 'https://app.example/redirect?to=https://evil.example'],
    ['https:thanks', 'https://app.example/base/thanks'],
  ])('allows %s', (url, resolved) => {
    expect(payments.resolveReturnUrl(url)).toBe(resolved)
  })

  it.each([
    'https://evil.example',
    'http://app.example/',
    'https://app.example:8443/',
    'https://app.example.evil.example/',
    'https://evil.example/https://app.example',
    '//evil.example',
    '///evil.example',
    '//app.example/',
    '/\\evil.example',
    '\\\\evil.example',
    'https:\\\\evil.example',
    'https:///evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' https://evil.example',
    '\u0000//evil.example',
    'https://app.example@evil.example/',
    'https://app.example%40evil.example/',
    'https://user@app.example/',
    'https://user:password@app.example/',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,hi',
    'blob:https://app.example/1',
    'file:///etc/passwd',
    'mailto:a@app.example',
    'https://',
    'http://[::1',
  ])('refuses %j', (url) => {
    expect(payments.resolveReturnUrl(url)).toBeNull()
  })
})
