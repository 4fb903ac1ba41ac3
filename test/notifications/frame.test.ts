import type { CreditEvent } from 'creditkit'
import { type NotificationOptions, renderNotification } from 'creditkit/notifications'
import { describe, expect, it } from 'vitest'
import { EVENTS } from './events.js'
import { rowsOf, seen } from './seen.js'

const options: NotificationOptions = { appName: 'Leadfinder', billingUrl: 'https://app.example.com/billing' }

function rendered(event: CreditEvent, own: Partial<NotificationOptions> = {}) {
  const notification = renderNotification(event, { ...options, ...own })
  if (notification === null) throw new Error(`rendered: nothing is written about ${event.kind}`)
  return notification
}

/** The tags of a page, without what they say and how they look. */
function tagsOf(html: string): string[] {
  return [...html.matchAll(/<\/?[a-z][^\s>]*/g)].map(([tag]) => tag)
}

describe('what people wrote', () => {
  const HOSTILE = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '</title><svg onload=alert(1)>',
    '</style><style>*{display:none}</style>',
    '--><![endif]--><b>',
    'x\r\nBcc: everybody@example.com',
    '\u202egnp.exe\u0000\u2028\u061c\u200f\u2067',
    '\ud800',
    '&lt;b&gt;',
    'a'.repeat(5000),
    '😀'.repeat(200),
  ]

  it.each(HOSTILE)('stays text: %j', (hostile) => {
    const names = { creditTypeNames: { enrichment: [hostile, hostile] } } as const
    const cases: [plain: CreditEvent, hostile: CreditEvent, own?: Partial<NotificationOptions>][] = [
      [EVENTS.purchaseFulfilled, { ...EVENTS.purchaseFulfilled, description: hostile, purchaseId: hostile }],
      [EVENTS.paymentFailed, { ...EVENTS.paymentFailed, message: hostile }],
      [EVENTS.paymentQuarantined, { ...EVENTS.paymentQuarantined, reason: hostile, userId: hostile }],
      [EVENTS.balanceLow, { ...EVENTS.balanceLow, creditType: hostile }],
      [EVENTS.clawedBack, EVENTS.clawedBack, names],
    ]
    for (const [plain, event, own] of cases) {
      const { subject, text, html } = rendered(event, { ...own, appName: hostile })
      expect(tagsOf(html)).toEqual(tagsOf(rendered(plain).html))
      // eslint-disable-next-line no-control-regex -- these are what is looked for
      expect(subject).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      expect(`${subject}${text}${html}`).not.toMatch(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/)
      expect(subject.length).toBeLessThanOrEqual(120)
      expect(subject.isWellFormed() && text.isWellFormed() && html.isWellFormed()).toBe(true)
    }
  })

  it('is still there to be read', () => {
    const description = `<script>alert("1")</script> & 'more'`
    const { text, html } = rendered({ ...EVENTS.purchaseFulfilled, description }, { appName: 'Tom & <Jerry>' })
    expect(text).toContain(`Details: ${description}\n`)
    expect(rowsOf(html)).toContainEqual(['Details', description])
    expect(seen(html)).toContain('Tom & <Jerry>')
  })

  it('adds no line to the text that looks like one of ours', () => {
    const description = 'Starter\nPaid: $0.00'
    const { text } = rendered({ ...EVENTS.purchaseFulfilled, description })
    expect(text.split('\n').filter((line) => line.startsWith('Paid'))).toEqual(['Paid: $9.99'])
  })

  it.each(['javascript:alert(1)', 'data:text/html,x', 'not a url', 'ftp://x.example'])(
    'is a link only where it leads to a web page: not %j',
    (recoveryUrl) => {
      const { text, html } = rendered({ ...EVENTS.topupFailed, recoveryUrl })
      expect(`${text}${html}`).not.toContain(recoveryUrl)
      // The buyer still has somewhere to go.
      expect(text).toContain('Confirm the payment: https://app.example.com/billing\n')
    },
  )

  it('cannot leave the link it stands in', () => {
    const recoveryUrl = 'https://pay.example.com/?a="><script>\'&b=1\r\nBcc: x'
    const { text, html } = rendered({ ...EVENTS.topupFailed, recoveryUrl })
    expect(tagsOf(html)).toEqual(tagsOf(rendered(EVENTS.topupFailed).html))
    expect(text).not.toContain('\nBcc')
  })
})

describe('texts of your own', () => {
  const texts: NotificationOptions['texts'] = {
    balanceLow: ({ balance }, show) => ({
      subject: `Nur noch ${show.count(balance)} Credits`,
      body: ['<b>Bald</b> ist Schluss.'],
      action: { label: 'Nachkaufen', url: show.billingUrl },
    }),
    depleted: null,
    deducted: ({ amount }) => ({ subject: `${amount} used`, body: ['So it goes.'] }),
  }

  it('replace ours kind by kind, in the same frame', () => {
    const own = rendered(EVENTS.balanceLow, { texts })
    expect(own.subject).toBe('Nur noch 40 Credits')
    expect(own.html).toContain('&#60;b&#62;Bald')
    expect(own.text).toContain('Nachkaufen: https://app.example.com/billing')
    expect(tagsOf(own.html).slice(0, 12)).toEqual(tagsOf(rendered(EVENTS.balanceLow).html).slice(0, 12))
    expect(renderNotification(EVENTS.depleted, { ...options, texts })).toBeNull()
    expect(rendered(EVENTS.deducted, { texts }).subject).toBe('1250 used')
    expect(rendered(EVENTS.expired, { texts }).subject).toBe('1,250 enrichment credits expired')
  })

  it('say in which language they are; ours stay English', () => {
    const german = { texts, locale: 'de-DE' }
    expect(rendered(EVENTS.balanceLow, german).html).toContain('<html lang="de-DE" dir="ltr">')
    expect(rendered(EVENTS.expired, german).html).toContain('<html lang="en" dir="ltr">')
    expect(rendered(EVENTS.expired, { locale: 'en-GB' }).html).toContain('<html lang="en-GB" dir="ltr">')
  })

  it('run from right to left where their language does, figures beside them', () => {
    const hebrew: NotificationOptions['texts'] = {
      expired: () => ({ subject: 'א', body: ['ב'], facts: [['ג', '1']] }),
    }
    const { html } = rendered(EVENTS.expired, { locale: 'he', texts: hebrew })
    expect(html).toContain('<html lang="he" dir="rtl">')
    expect(html).toMatch(/<th [^>]*align="right"[^>]*>ג<\/th><td [^>]*align="left"/)
  })

  it('have no button where their link is no web page', () => {
    const action = { label: 'Go', url: 'javascript:alert(1)' }
    const { text, html } = rendered(EVENTS.expired, {
      texts: { expired: () => ({ subject: 'Over', body: ['Gone.'], action }) },
    })
    expect(`${text}${html}`).not.toMatch(/javascript|>Go</)
  })
})

describe('the page', () => {
  const { html } = rendered(EVENTS.purchaseFulfilled)

  it('fetches nothing and runs nothing', () => {
    expect(html).not.toMatch(/<(script|img|link|iframe|object|form)|src=|url\(|@import|@font-face| on[a-z]+=/i)
    const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, link]) => link)
    expect(links).toEqual(['https://app.example.com/billing', 'https://app.example.com/billing'])
  })

  it('is for light and dark, and begins with what inboxes preview', () => {
    expect(html).toContain('<meta name="color-scheme" content="light dark">')
    expect(html).toContain('@media (prefers-color-scheme: dark)')
    expect(html).toMatch(/<body[^>]*>\n<div style="display:none[^>]*>Thank you for your purchase\. We added/)
  })

  it.each([
    ['#ffffff', '#000000'],
    ['#000000', '#ffffff'],
    ['#ffd000', '#000000'],
  ])('has words on a button of %s in %s, so that they can be read', (accentColor, color) => {
    const page = rendered(EVENTS.balanceLow, { accentColor }).html
    expect(page).toContain(`bgcolor="${accentColor}"`)
    expect(page).toContain(`;color:${color};text-decoration:none"`)
  })
})
