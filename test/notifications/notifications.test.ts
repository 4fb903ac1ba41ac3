import { CreditService, type CreditEvent, type EventKind, isCreditError } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { type NotificationOptions, renderNotification } from 'creditkit/notifications'
import { describe, expect, it } from 'vitest'

const options: NotificationOptions = { appName: 'Leadfinder', billingUrl: 'https://app.example.com/billing' }
const about = { id: 'e1', userId: 'ann', creditType: 'enrichment', createdAt: new Date('2026-11-23T10:00:00Z') }
const moved = { transactionId: 't1', amount: 1250, description: 'Enriched leads', balance: 40 }

/** One event of each kind; a new kind is missing here, and the types say so. */
const EVENTS: { [K in EventKind]: CreditEvent<K> } = {
  added: { ...about, kind: 'added', ...moved },
  deducted: { ...about, kind: 'deducted', ...moved, referenceId: null, referenceType: null },
  refunded: { ...about, kind: 'refunded', ...moved, refundedTransactionId: 't0' },
  held: { ...about, kind: 'held', holdId: 'h1', amount: 5, expiresAt: '2026-11-23T11:00:00.000Z', balance: 40 },
  expiringSoon: {
    ...{ ...about, kind: 'expiringSoon', grantId: 'g1', amount: 30 },
    ...{ expiresAt: '2026-12-01T00:00:00.000Z', balance: 40 },
  },
  expired: { ...about, kind: 'expired', ...moved },
  balanceLow: { ...about, kind: 'balanceLow', threshold: 50, balance: 40 },
  depleted: { ...about, kind: 'depleted', balance: 0 },
  limitReached: {
    ...{ ...about, kind: 'limitReached', max: 100, per: 'day', of: 'calls' },
    resetsAt: '2026-11-24T00:00:00.000Z',
  },
  purchaseFulfilled: {
    ...about,
    kind: 'purchaseFulfilled',
    ...moved,
    purchaseId: 'p1',
    paidMinor: 999,
    currency: 'usd',
  },
  paymentFailed: {
    ...{ ...about, kind: 'paymentFailed', purchaseId: 'p1', paymentId: 'pi_1' },
    ...{ failureCode: 'card_declined', message: 'Your card was declined.' },
  },
  clawedBack: { ...about, kind: 'clawedBack', ...moved, debt: 10, balance: -10 },
  paymentQuarantined: { ...about, kind: 'paymentQuarantined', quarantineId: 'q1', purchaseId: null, reason: 'amount' },
  topupFailed: {
    ...{ ...about, kind: 'topupFailed', purchaseId: 'p1', status: 'action_required', failureCode: null },
    ...{ retryAt: null, recoveryUrl: 'https://pay.example.com/confirm' },
  },
}

const KINDS = Object.keys(EVENTS) as EventKind[]
const SILENT: EventKind[] = ['added', 'deducted', 'held']

function rendered(event: CreditEvent, own: Partial<NotificationOptions> = {}) {
  const notification = renderNotification(event, { ...options, ...own })
  if (notification === null) throw new Error(`rendered: nothing is written about ${event.kind}`)
  return notification
}

/** What a reader of the HTML sees. */
function seen(html: string): string {
  return html
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
    .replaceAll(/\s+/g, ' ')
}

describe('a notification', () => {
  it.each(KINDS.filter((kind) => !SILENT.includes(kind)))(
    'of %s has a subject, text and HTML that say the same',
    (kind) => {
      const { subject, text, html, audience } = rendered(EVENTS[kind])
      expect(subject).not.toBe('')
      expect(audience).toBe(kind === 'paymentQuarantined' ? 'operator' : 'user')
      const page = seen(html)
      expect(page).toContain(subject)
      // Every line of the text: facts without their colon, links behind their label.
      const lines = text.split('\n').filter((line) => line !== '')
      expect(lines.length).toBeGreaterThan(1)
      for (const line of lines) {
        const [label = '', ...value] = line.split(': ')
        expect(page).toContain(label)
        if (value.length > 0 && !line.includes('https:')) expect(page).toContain(value.join(': '))
        for (const url of line.match(/https:\S+/g) ?? []) expect(html).toContain(`href="${url}"`)
      }
      expect(`${subject} ${text}`).not.toMatch(/undefined|null|NaN|\[object/)
    },
  )

  it.each(SILENT)('of %s is none: they are too many, or have another', (kind) => {
    expect(renderNotification(EVENTS[kind], options)).toBeNull()
  })

  it('is the same for the same event', () => {
    expect(rendered(EVENTS.balanceLow)).toEqual(rendered(EVENTS.balanceLow))
  })

  it('comes from real events, as the service tells them', async () => {
    const sent: string[] = []
    const note = (event: CreditEvent) => sent.push(rendered(event).subject)
    const credits = new CreditService({
      store: memoryStore(),
      lowBalance: { calling: [5] },
      on: { balanceLow: note, depleted: note, refunded: note },
    })
    const of = { userId: 'ann', creditType: 'calling', description: 'Call' } as const
    await credits.addCredits({ ...of, amount: 10 })
    const use = await credits.deductCredits({ ...of, amount: 9 })
    await credits.refundCredits(use.id)
    await credits.runDue()
    expect(sent).toEqual(['1 calling credit left', '9 calling credits given back'])
    await credits.close()
  })
})

describe('its figures', () => {
  it('are in singular and plural', () => {
    const left = (balance: number) => rendered({ ...EVENTS.balanceLow, balance }).subject
    expect([0, 1, 2, 1250].map(left)).toEqual([
      '0 enrichment credits left',
      '1 enrichment credit left',
      '2 enrichment credits left',
      '1,250 enrichment credits left',
    ])
    const bought = (amount: number) => rendered({ ...EVENTS.purchaseFulfilled, amount }).subject
    expect([bought(1), bought(2)]).toEqual(['Your 1 enrichment credit is here', 'Your 2 enrichment credits are here'])
  })

  it.each([
    [999, 'usd', '$9.99'],
    [1200, 'jpy', '¥1,200'],
    [12_345, 'kwd', 'KWD\u00a012.345'],
    [0, 'eur', '€0.00'],
  ])('show %i %s as %s', (paidMinor, currency, shown) => {
    expect(rendered({ ...EVENTS.purchaseFulfilled, paidMinor, currency }).text).toContain(`Paid: ${shown}`)
  })

  it('are written as the locale and time zone do, with names of your own', () => {
    const german = {
      locale: 'de-DE',
      timeZone: 'Europe/Berlin',
      creditTypeNames: { enrichment: ['Lead', 'Leads'] },
    } as const
    const { text } = rendered({ ...EVENTS.expiringSoon, amount: 12_500 }, german)
    expect(text).toContain('12.500 Leads')
    expect(text).toContain('1. Dezember 2026 um 01:00 Europe/Berlin')
    expect(rendered(EVENTS.purchaseFulfilled, german).text).toContain('9,99\u00a0$')
  })

  it('say what is owed, never a balance below nothing', () => {
    const { text } = rendered(EVENTS.clawedBack)
    expect(text).toContain('Owed: 10 enrichment credits')
    expect(text).toContain('10 enrichment credits of them had been used already')
    expect(text).not.toContain('-10')
  })

  it.each([
    ['active', 'We will try again', 'https://app.example.com/billing'],
    ['action_required', 'Your bank wants you to confirm', 'https://pay.example.com/confirm'],
    ['suspended', 'have stopped', 'https://app.example.com/billing'],
    ['unheard of', 'have stopped', 'https://app.example.com/billing'],
  ])('of a top-up that is %s say what to do', (status, words, url) => {
    const { text } = rendered({ ...EVENTS.topupFailed, status })
    expect(text).toContain(words)
    expect(text).toContain(url)
  })
})

describe('what people wrote', () => {
  const HOSTILE = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '</title><svg onload=alert(1)>',
    'x\r\nBcc: everybody@example.com',
    '\u202egnp.exe\u0000\u2028',
    '\ud800',
    '&lt;b&gt;',
    'a'.repeat(5000),
    '😀'.repeat(200),
  ]

  it.each(HOSTILE)('stays text: %j', (hostile) => {
    const events = [
      { ...EVENTS.purchaseFulfilled, description: hostile },
      { ...EVENTS.paymentFailed, message: hostile },
      { ...EVENTS.paymentQuarantined, reason: hostile, userId: hostile },
      { ...EVENTS.balanceLow, creditType: hostile },
    ]
    for (const event of events) {
      const { subject, text, html } = rendered(event, { appName: hostile })
      expect(html).not.toMatch(/<script|<img|<svg|<\/title><|onmouseover='/)
      expect(html.match(/<title>/g)).toHaveLength(1)
      // eslint-disable-next-line no-control-regex -- these are what is looked for
      expect(subject).not.toMatch(/[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/)
      expect(subject.length).toBeLessThanOrEqual(120)
      expect(subject.isWellFormed() && text.isWellFormed() && html.isWellFormed()).toBe(true)
    }
  })

  it('is a link only where it leads to a web page', () => {
    for (const recoveryUrl of ['javascript:alert(1)', 'data:text/html,x', 'not a url', 'ftp://x.example']) {
      const { text, html } = rendered({ ...EVENTS.topupFailed, recoveryUrl })
      expect(html).not.toContain('href')
      expect(text).not.toContain(recoveryUrl)
    }
  })

  it('is refused where it is a setting', () => {
    const refused = (own: Partial<NotificationOptions>) => {
      try {
        return rendered(EVENTS.balanceLow, own).subject
      } catch (error) {
        return isCreditError(error, 'INVALID_INPUT')
      }
    }
    expect(refused({ billingUrl: 'javascript:alert(1)' })).toBe(true)
    expect(refused({ billingUrl: '/billing' })).toBe(true)
    expect(refused({ accentColor: 'red;background:url(x)' })).toBe(true)
  })
})

describe('texts of your own', () => {
  it('replace ours kind by kind, in the same frame', () => {
    const texts: NotificationOptions['texts'] = {
      balanceLow: ({ balance }, show) => ({
        subject: `Nur noch ${show.count(balance)} Credits`,
        body: ['<b>Bald</b> ist Schluss.'],
        action: { label: 'Nachkaufen', url: show.billingUrl },
      }),
      depleted: null,
      added: ({ amount }) => ({ subject: `${amount} new ones`, body: ['Enjoy.'] }),
    }
    const own = rendered(EVENTS.balanceLow, { texts })
    expect(own.subject).toBe('Nur noch 40 Credits')
    expect(own.html).toContain('&#60;b&#62;Bald')
    expect(own.text).toContain('Nachkaufen: https://app.example.com/billing')
    expect(renderNotification(EVENTS.depleted, { ...options, texts })).toBeNull()
    expect(rendered(EVENTS.added, { texts }).subject).toBe('1250 new ones')
    expect(rendered(EVENTS.expired, { texts }).subject).toBe('1,250 enrichment credits expired')
  })

  it.each([
    ['#ffffff', '#000000'],
    ['#000000', '#ffffff'],
    ['#ffd000', '#000000'],
  ])('on a button of %s are %s, so that they can be read', (accentColor, color) => {
    expect(rendered(EVENTS.balanceLow, { accentColor }).html).toContain(`background:${accentColor};color:${color}`)
  })
})
