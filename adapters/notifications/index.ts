import { InvalidInputError } from '../../src/errors.js'
import type { CreditEvent } from '../../src/event-delivery.js'
import type { HostEventKind } from '../../src/ledger/event.js'
import { htmlFrame } from './html-frame.js'
import { ENGLISH, type Message, type Messages } from './messages.js'
import { type CreditTypeNames, type Show, showing } from './show.js'
import { textFrame } from './text-frame.js'
import { shortened, visible, webUrl } from './visible-text.js'

export type { Fact, Message, Messages } from './messages.js'
export type { CreditTypeNames, Show } from './show.js'

/** Who writes, where links lead, and how figures are shown, for `renderNotification`. */
export interface NotificationOptions {
  /** Who writes. */
  appName: string
  /** Where a user looks at credits and buys more: an http or https URL. */
  billingUrl: string
  /** BCP 47, for numbers, money and moments, and the language of your own texts. Default `en-US`. */
  locale?: string | undefined
  /** Of moments: an IANA name such as `Europe/Berlin`. Default `UTC`. */
  timeZone?: string | undefined
  /** What people call a credit type, in singular and plural: `{ calling: ['minute', 'minutes'] }`. */
  creditTypeNames?: CreditTypeNames | undefined
  /** Your own texts, kind by kind; null: nobody is written to. */
  texts?: Partial<Messages> | undefined
  /** `#rrggbb`, of the button. Default `#2f5bea`. */
  accentColor?: string | undefined
}

/** A message to send: by mail, or by any channel that takes text. */
export interface Notification {
  /** `operator`: somebody of yours has to look, and no user should read it. */
  audience: 'user' | 'operator'
  /** One line, at most 120 characters. */
  subject: string
  text: string
  html: string
}

const LONGEST_SUBJECT = 120

/**
 * What to write to somebody about an event: `on: { balanceLow: async (event) => send(await addressOf(event.userId),
 * renderNotification(event, options)) }`. Null: nothing; by default of `deducted` and `held`.
 *
 * A purchase tells `added` and `purchaseFulfilled`: listen to one of them, or set `texts: { added: null }`.
 *
 * Everything that comes from people is escaped. The same event gives the same message.
 *
 * @throws {InvalidInputError} A `billingUrl` that is no web page, an `accentColor` that is none, or an unknown `locale` or
 *   `timeZone`.
 */
export function renderNotification(event: CreditEvent, options: NotificationOptions): Notification | null {
  const { appName, locale = 'en-US', timeZone = 'UTC', creditTypeNames = {}, accentColor = '#2f5bea' } = options
  const billingUrl = webUrl(options.billingUrl)
  if (billingUrl === null)
    throw new InvalidInputError([{ path: 'billingUrl', message: 'must be an http or https URL' }])
  if (!/^#[0-9a-f]{6}$/i.test(accentColor))
    throw new InvalidInputError([{ path: 'accentColor', message: 'must be a colour such as #2f5bea' }])
  const language = isEnglish(locale) || options.texts?.[event.kind] !== undefined ? locale : 'en'
  const show = showing({ appName, billingUrl, locale, timeZone, creditTypeNames }, language)
  const message = messageOf(event, options, show)
  if (message === null) return null
  const framed = { ...message, subject: subjectOf(message) }
  return {
    audience: message.audience ?? 'user',
    subject: framed.subject,
    text: textFrame(framed, { appName }),
    html: htmlFrame(framed, { appName, billingUrl, language, accentColor }),
  }
}

function messageOf<K extends HostEventKind>(
  event: CreditEvent<K>,
  { texts }: NotificationOptions,
  show: Show,
): Message | null {
  // Paired by the kind; an event of a kind that this version does not know has none.
  const text: Partial<Messages>[K] = texts?.[event.kind] === undefined ? ENGLISH[event.kind] : texts[event.kind]
  return text?.(event, show) ?? null
}

function isEnglish(locale: string): boolean {
  return /^en(-|$)/i.test(locale)
}

/** One line, whatever names hold: a line break would begin another header. */
function subjectOf({ subject }: Message): string {
  return shortened(visible(subject).replaceAll(/\s+/g, ' ').trim(), LONGEST_SUBJECT)
}
