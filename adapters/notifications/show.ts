import { InvalidInputError } from '../../src/errors.js'
import { moneyText } from '../money.js'
import { webUrl } from './visible-text.js'

/** How a message shows figures, moments and names. */
export interface Show {
  /** `1,250 calling credits`, `1 calling credit`. */
  credits: (amount: number, creditType: string) => string
  /** `calling credits`, or `calling credit` for one. */
  unit: (amount: number, creditType: string) => string
  count: (amount: number) => string
  /** Minor units as money. */
  money: (minor: number, currency: string) => string
  /** Day and time, with the time zone. */
  moment: (at: string | Date) => string
  /** The link, where it leads to a web page; else null. */
  webUrl: (url: string | null) => string | null
  appName: string
  billingUrl: string
}

/** What people call one credit and several. */
export type CreditTypeNames = Readonly<Record<string, readonly [one: string, many: string]>>

interface ShowOptions {
  appName: string
  billingUrl: string
  locale: string
  timeZone: string
  creditTypeNames: CreditTypeNames
}

/**
 * @param language BCP 47, of the words around the figures: it says what is singular.
 * @throws {InvalidInputError} There is no such locale or time zone.
 */
export function showing(
  { appName, billingUrl, locale, timeZone, creditTypeNames }: ShowOptions,
  language: string,
): Show {
  const count = known('locale', () => new Intl.NumberFormat(locale))
  const moment = known('timeZone', () => new Intl.DateTimeFormat(locale, { ...MOMENT, timeZone }))
  const rules = new Intl.PluralRules(language)
  const unit = (amount: number, creditType: string): string => {
    const words = creditType.replaceAll(/[_.-]+/g, ' ').trim()
    const own = Object.hasOwn(creditTypeNames, creditType) ? creditTypeNames[creditType] : undefined
    const [one, many] = own ?? [`${words} credit`, `${words} credits`]
    return rules.select(amount) === 'one' ? one : many
  }
  return {
    appName,
    billingUrl,
    unit,
    credits: (amount, creditType) => `${count.format(amount)} ${unit(amount, creditType)}`,
    count: (amount) => count.format(amount),
    money: (minor, currency) => moneyText(locale, minor, currency),
    moment: (at) => moment.format(new Date(at)),
    webUrl: (url) => (url === null ? null : webUrl(url)),
  }
}

/** Part by part: `dateStyle` can't be had together with the zone's name. */
const MOMENT: Intl.DateTimeFormatOptions = {
  ...{ year: 'numeric', month: 'long', day: 'numeric' },
  ...{ hour: 'numeric', minute: '2-digit', timeZoneName: 'short' },
}

function known<T>(path: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new InvalidInputError([{ path, message: `there is no such ${path}` }], { cause })
  }
}
