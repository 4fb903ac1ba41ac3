import { InvalidInputError } from '../../src/errors.js'
import type { CreditEvent } from '../../src/event-delivery.js'
import type { HostEventKind } from '../../src/ledger/event.js'
import { moneyText } from '../money.js'
import { htmlFrame, textFrame, visible, webUrl } from './frame.js'
import { ENGLISH, type Message, type Messages, type Show } from './messages.js'

export type { Message, Messages, Show } from './messages.js'

export interface NotificationOptions {
  /** Who writes. */
  appName: string
  /** Where a user looks at credits and buys more: an http or https URL. */
  billingUrl: string
  /** BCP 47, for numbers, money and moments. Default `en-US`. */
  locale?: string | undefined
  /** Of moments. Default `UTC`. */
  timeZone?: string | undefined
  /** What people call a credit type, in singular and plural: `{ calling: ['minute', 'minutes'] }`. */
  creditTypeNames?: Readonly<Record<string, readonly [one: string, many: string]>> | undefined
  /** Your own texts, kind by kind; null: nobody is written to. */
  texts?: Partial<Messages> | undefined
  /** `#rrggbb`, of the button. Default `#2f5bea`. */
  accentColor?: string | undefined
}

/** A message to send: by mail, or by any channel that takes text. */
export interface Notification {
  /** `operator`: somebody of yours has to look, and no user should read it. */
  audience: 'user' | 'operator'
  subject: string
  text: string
  html: string
}

const LONGEST_SUBJECT = 120

/**
 * What to write to somebody about an event: `on: { balanceLow: async (event) => send(await addressOf(event.userId),
 * renderNotification(event, options)) }`. Null: nothing; by default of `added`, `deducted` and `held`.
 *
 * Everything that comes from people is escaped. The same event gives the same message.
 *
 * @throws {InvalidInputError} A `billingUrl` that is no web page, or an `accentColor` that is none.
 */
export function renderNotification(event: CreditEvent, options: NotificationOptions): Notification | null {
  const { appName, locale = 'en-US', accentColor = '#2f5bea' } = options
  if (webUrl(options.billingUrl) === null)
    throw new InvalidInputError([{ path: 'billingUrl', message: 'must be an http or https URL' }])
  if (!/^#[0-9a-f]{6}$/i.test(accentColor))
    throw new InvalidInputError([{ path: 'accentColor', message: 'must be a colour such as #2f5bea' }])
  const message = messageOf(event, options)
  if (message === null) return null
  const subject = subjectOf(message)
  const frame = { appName, locale, accentColor }
  return {
    audience: message.audience ?? 'user',
    subject,
    text: textFrame(message, frame),
    html: htmlFrame({ ...message, subject }, frame),
  }
}

function messageOf<K extends HostEventKind>(event: CreditEvent<K>, options: NotificationOptions): Message | null {
  const texts: Messages = { ...ENGLISH, ...options.texts }
  // The kind says which of the texts it is.
  const text = texts[event.kind]
  return text === null ? null : text(event, showing(options))
}

/** One line, whatever names hold: a line break would begin another header. */
function subjectOf({ subject }: Message): string {
  const line = visible(subject).replaceAll(/\s+/g, ' ').trim()
  if (line.length <= LONGEST_SUBJECT) return line
  // Half of a character at the cut is none.
  return `${line.slice(0, LONGEST_SUBJECT - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

function showing({
  appName,
  billingUrl,
  locale = 'en-US',
  timeZone = 'UTC',
  creditTypeNames = {},
}: NotificationOptions): Show {
  const count = new Intl.NumberFormat(locale)
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone })
  const rules = new Intl.PluralRules(locale)
  return {
    appName,
    billingUrl,
    count: (amount) => count.format(amount),
    credits: (amount, creditType) => {
      const named = Object.hasOwn(creditTypeNames, creditType) ? creditTypeNames[creditType] : undefined
      const [one, many] = named ?? [`${wordsOf(creditType)} credit`, `${wordsOf(creditType)} credits`]
      return `${count.format(amount)} ${rules.select(amount) === 'one' ? one : many}`
    },
    money: (minor, currency) => moneyText(locale, minor, currency),
    moment: (iso) => `${moment.format(new Date(iso))} ${timeZone}`,
  }
}

function wordsOf(creditType: string): string {
  return creditType.replaceAll(/[_.-]+/g, ' ').trim()
}
