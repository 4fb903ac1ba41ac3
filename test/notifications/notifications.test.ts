import { CreditService, type CreditEvent, type EventKind, isCreditError } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { type NotificationOptions, renderNotification } from 'creditkit/notifications'
import { describe, expect, it } from 'vitest'
import { EVENT_KINDS } from '../../src/ledger/event.js'
import { EVENTS } from './events.js'
import { rowsOf, seen } from './seen.js'

const options: NotificationOptions = { appName: 'Leadfinder', billingUrl: 'https://app.example.com/billing' }

const SILENT: EventKind[] = ['deducted', 'held']
const TOLD = EVENT_KINDS.filter((kind) => !SILENT.includes(kind))

function rendered(event: CreditEvent, own: Partial<NotificationOptions> = {}) {
  const notification = renderNotification(event, { ...options, ...own })
  if (notification === null) throw new Error(`rendered: nothing is written about ${event.kind}`)
  return notification
}

describe('a notification', () => {
  it('is known here for every kind of event', () => {
    expect(Object.keys(EVENTS).sort()).toEqual([...EVENT_KINDS].sort())
  })

  it.each(TOLD)('of %s says in its text what its HTML says', (kind) => {
    const { subject, text, html } = rendered(EVENTS[kind])
    const paragraphs = [...html.matchAll(/<p [^>]*>(.*?)<\/p>/gs)].map(([, paragraph = '']) => seen(paragraph))
    expect(paragraphs.length).toBeGreaterThan(0)
    const links = [...html.matchAll(/<td bgcolor[^>]*><a href="([^"]*)"[^>]*>(.*?)<\/a>/g)]
    expect(links).toHaveLength(kind === 'paymentQuarantined' ? 0 : 1)
    const told = [
      ...paragraphs,
      ...rowsOf(html).map(([label, value]) => `${label}: ${value}`),
      ...links.map(([, link = '', label = '']) => `${seen(label)}: ${seen(link)}`),
      'Leadfinder',
    ]
    expect(text.split('\n').filter((line) => line !== '')).toEqual(told)
    expect(seen(html)).toContain(subject)
    expect(`${subject} ${text}`).not.toMatch(/undefined|null|NaN|\[object|: \n/)
  })

  it.each(SILENT)('of %s is none: they are what people do all day', (kind) => {
    expect(renderNotification(EVENTS[kind], options)).toBeNull()
  })

  it('is none of a kind that is not told to hosts, or not known yet', () => {
    // What a newer version could tell, as JavaScript passes it.
    const unknown = { ...EVENTS.depleted, kind: 'topupDue' } as unknown as CreditEvent
    expect(renderNotification(unknown, options)).toBeNull()
  })

  it('is for users, but for a payment that somebody has to look at', () => {
    const operator = TOLD.filter((kind) => rendered(EVENTS[kind]).audience === 'operator')
    expect(operator).toEqual(['paymentQuarantined'])
  })

  it('is the same for the same event', () => {
    expect(rendered(EVENTS.purchaseFulfilled)).toEqual(rendered(EVENTS.purchaseFulfilled))
  })

  it('comes from real events, as the service tells them', async () => {
    const sent: string[] = []
    const note = (event: CreditEvent) => sent.push(rendered(event).subject)
    const credits = new CreditService({
      store: memoryStore(),
      lowBalance: { calling: [5] },
      on: { added: note, deducted: () => null, balanceLow: note, depleted: note, refunded: note },
    })
    const of = { userId: 'ann', creditType: 'calling', description: 'Call' } as const
    await credits.addCredits({ ...of, amount: 10 })
    const use = await credits.deductCredits({ ...of, amount: 9 })
    await credits.refundCredits(use.id)
    await credits.runDue()
    expect(sent).toEqual(['10 calling credits added', '1 calling credit left', '9 calling credits given back'])
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
    const limit = (max: number) => rendered({ ...EVENTS.limitReached, max }).text.split(',')[0]
    expect([limit(1), limit(2)]).toEqual([
      'You can use enrichment credits 1 time per day',
      'You can use enrichment credits 2 times per day',
    ])
  })

  it('count as English does around English words, whatever the locale', () => {
    const left = (balance: number, locale: string) => rendered({ ...EVENTS.balanceLow, balance }, { locale }).subject
    // French has 0 in the singular, Russian 21, and Japanese nothing.
    expect(left(0, 'fr-FR')).toBe('0 enrichment credits left')
    expect(left(21, 'ru-RU')).toBe('21 enrichment credits left')
    expect(left(1, 'ja-JP')).toBe('1 enrichment credit left')
  })

  it.each([
    [999, 'usd', '$9.99'],
    [123_456_789, 'usd', '$1,234,567.89'],
    [1200, 'jpy', '¥1,200'],
    [12_345, 'kwd', 'KWD\u00a012.345'],
    [0, 'eur', '€0.00'],
  ])('show %i %s as %s', (paidMinor, currency, shown) => {
    expect(rendered({ ...EVENTS.purchaseFulfilled, paidMinor, currency }).text).toContain(`Paid: ${shown}\n`)
  })

  it('leave out a price that nobody knows', () => {
    const { text, html } = rendered({ ...EVENTS.purchaseFulfilled, paidMinor: null, currency: null })
    expect(text).not.toContain('Paid')
    expect(html).not.toContain('Paid')
  })

  it('are written as the locale and time zone do, with names of your own', () => {
    const german = {
      locale: 'de-DE',
      timeZone: 'Europe/Berlin',
      creditTypeNames: { enrichment: ['Lead', 'Leads'] },
    } as const
    const { text } = rendered({ ...EVENTS.expiringSoon, amount: 12_500 }, german)
    expect(text).toContain('12.500 Leads')
    expect(text).toContain('1. Dezember 2026 um 01:00 MEZ')
    expect(rendered(EVENTS.purchaseFulfilled, german).text).toContain('9,99\u00a0$')
  })

  it('stand once where their locale has spaces in numbers', () => {
    const event = { ...EVENTS.limitReached, of: 'credits', max: 1250 }
    expect(rendered(event, { locale: 'fr-FR' }).text).toContain('up to 1\u202f250 enrichment credits per day')
  })

  it('say when in the time zone, and which it is', () => {
    expect(rendered(EVENTS.expiringSoon).text).toMatch(/Usable until: December 1, 2026 at 12:00\sAM UTC/)
    const tokyo = rendered(EVENTS.expiringSoon, { timeZone: 'Asia/Tokyo' })
    expect(tokyo.text).toMatch(/Usable until: December 1, 2026 at 9:00\sAM GMT\+9/)
  })

  it.each(['balanceLow', 'depleted', 'purchaseFulfilled', 'added', 'refunded', 'expired', 'clawedBack'] as const)(
    'of %s say what is owed, never a balance below nothing',
    (kind) => {
      const { subject, text } = rendered({ ...EVENTS[kind], balance: -10 })
      expect(text).toContain('Owed: 10 enrichment credits')
      expect(`${subject} ${text}`).not.toMatch(/[-−]10/)
    },
  )

  it('say what of a clawback had been used already, where there is such', () => {
    expect(rendered(EVENTS.clawedBack).text).toContain('Of these, 10 enrichment credits had been used already')
    expect(rendered({ ...EVENTS.clawedBack, debt: 0 }).text).not.toContain('used already')
  })

  it.each([
    ['active', 'We will try again', 'https://app.example.com/billing'],
    ['action_required', 'Your bank wants you to confirm', 'https://pay.example.com/confirm'],
    ['suspended', 'have stopped', 'https://app.example.com/billing'],
    ['constructor', 'have stopped', 'https://app.example.com/billing'],
  ])('of a top-up that is %s say what to do', (status, words, url) => {
    const { text } = rendered({ ...EVENTS.topupFailed, status })
    expect(text).toContain(words)
    expect(text).toContain(`: ${url}\n`)
  })

  it('of a top-up that tries again say when', () => {
    const { text } = rendered({ ...EVENTS.topupFailed, status: 'active', retryAt: '2026-11-24T08:30:00.000Z' })
    expect(text).toMatch(/Next try: November 24, 2026 at 8:30\sAM UTC/)
  })
})

describe('settings that are none', () => {
  it.each<[string, Partial<NotificationOptions>]>([
    ['billingUrl', { billingUrl: 'javascript:alert(1)' }],
    ['billingUrl', { billingUrl: '/billing' }],
    ['accentColor', { accentColor: 'red;background:url(x)' }],
    ['locale', { locale: 'not a locale' }],
    ['timeZone', { timeZone: 'Mars/Olympus' }],
  ])('are refused: %s in %j', (path, own) => {
    let refusal: unknown = null
    try {
      rendered(EVENTS.balanceLow, own)
    } catch (error) {
      refusal = error
    }
    expect(isCreditError(refusal, 'INVALID_INPUT')).toBe(true)
    expect(refusal).toMatchObject({ issues: [{ path }] })
  })
})
