import type { MaybeCaller } from '../../src/api/procedure.js'
import type { OnAdminCall } from '../../src/api/admin-call.js'
import type { CreditService } from '../../src/credit-service.js'
import { consoleLogger } from '../../src/ports/logger.js'
import { type BodyLimits, checkedBodyLimits } from '../../src/request-body.js'
import { type Formats, formats } from './formats.js'
import { webUrl } from './html.js'
import { stylesheet, type Stylesheet } from './stylesheet.js'

/** What a host says about its console. */
export interface ConsoleOptions<T extends string = string> {
  credits: CreditService<T>
  /**
   * Who is looking; null: nobody is signed in. `native`: what the mount was called with, such as Express's request or
   * Hono's context. Administrators (`isAdmin`) get the admin pages besides.
   */
  authenticate: (request: Request, native?: unknown) => MaybeCaller | Promise<MaybeCaller>
  /** Where the console stands, on the payment provider's `appUrl`. Default `/credits`. */
  basePath?: string | undefined
  /** Your product's name. Default `Credits`. */
  appName?: string | undefined
  /** Where your product is, for a link back: a path or an `http(s)` URL. Default: no link. */
  homeUrl?: string | undefined
  /** Where people sign in: a path or an `http(s)` URL; gets `?return=` the page they wanted. Default: they are told to. */
  signInUrl?: string | undefined
  /** BCP 47, for numbers, money and dates; the words are English. Default `en`. */
  locale?: string | undefined
  /** IANA name, for dates and times. Default `UTC`. */
  timeZone?: string | undefined
  /**
   * Signs the forms, so that no other site can send them; at least 16 characters. Default: a random one per process, with
   * which forms that are open during a restart have to be sent again. Several processes behind one address need the option.
   */
  secret?: string | undefined
  /** Other origins whose pages may send forms here. Default: none. */
  allowedOrigins?: readonly string[] | undefined
  /** So long a form may take to arrive, in milliseconds; then the answer is 408. Default 10 000. */
  bodyTimeoutMs?: number | undefined
  /** What credit types are called on the pages. Default: their names with a capital. */
  creditTypeNames?: Readonly<Record<string, string>> | undefined
  /** `#rrggbb`, for buttons, links and charts; made lighter or darker where it could not be read. Default `#4f46e5`. */
  accentColor?: string | undefined
  /** Told of every call of an administrator's that changes something, after it succeeded: for an audit log. */
  onAdminCall?: OnAdminCall | undefined
  /** Told of errors that are not creditkit's, of which people learn nothing but the id. Default: to the console. */
  onError?: ((error: unknown, call: { path: string; requestId: string }) => void) | undefined
}

/** The options, checked. */
export interface Settings {
  /** Credit types are texts here: the service knows which there are. */
  credits: CreditService<string>
  authenticate: ConsoleOptions['authenticate']
  basePath: string
  appName: string
  homeUrl: string | null
  signInUrl: string | null
  show: Formats
  secret: string | Uint8Array<ArrayBuffer>
  allowedOrigins: ReadonlySet<string>
  bodyLimits: BodyLimits
  stylesheet: Stylesheet
  onAdminCall: OnAdminCall | undefined
  onError: (error: unknown, call: { path: string; requestId: string }) => void
}

const MIN_SECRET_LENGTH = 16

/** Largest form: descriptions and metadata are at most 16 kB, each byte of them three when it is percent-encoded. */
const MAX_FORM_BYTES = 65_536

/** @throws {Error} An option that can't be meant. */
export function toSettings<T extends string>(options: ConsoleOptions<T>): Settings {
  const { locale = 'en', timeZone = 'UTC', creditTypeNames = {}, accentColor = '#4f46e5', secret } = options
  if (!/^#[0-9a-f]{6}$/i.test(accentColor)) throw wrong('accentColor', 'a colour such as #4f46e5', accentColor)
  if (secret !== undefined && secret.length < MIN_SECRET_LENGTH)
    throw new Error(`createConsole: secret must have at least ${MIN_SECRET_LENGTH} characters`)
  return {
    // Its names are checked by the service itself, which refuses those it does not know.
    credits: options.credits as unknown as CreditService<string>,
    authenticate: options.authenticate,
    basePath: checkedBasePath(options.basePath ?? '/credits'),
    appName: options.appName ?? 'Credits',
    homeUrl: checkedUrl('homeUrl', options.homeUrl),
    signInUrl: checkedUrl('signInUrl', options.signInUrl),
    show: formats(locale, timeZone, creditTypeNames),
    secret: secret ?? crypto.getRandomValues(new Uint8Array(32)),
    allowedOrigins: new Set(options.allowedOrigins ?? []),
    bodyLimits: checkedBodyLimits('createConsole', {
      maxBodyBytes: MAX_FORM_BYTES,
      bodyTimeoutMs: options.bodyTimeoutMs,
    }),
    stylesheet: stylesheet(accentColor),
    onAdminCall: options.onAdminCall,
    onError: options.onError ?? logError,
  }
}

function logError(error: unknown, { path, requestId }: { path: string; requestId: string }): void {
  consoleLogger.error({ err: error, path, requestId }, 'a page of the credits console failed')
}

function checkedBasePath(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed !== '' && !/^(\/[\w.~-]+)+$/.test(trimmed)) throw wrong('basePath', 'a path such as /credits', path)
  return trimmed
}

/** A path of the host's, or an `http(s)` URL. What browsers read as another host's address is no path. */
function checkedUrl(name: string, url: string | undefined): string | null {
  if (url === undefined) return null
  const isPath = url.startsWith('/') && URL.canParse(url, ANY_ORIGIN) && new URL(url, ANY_ORIGIN).origin === ANY_ORIGIN
  const checked = isPath ? new URL(url, ANY_ORIGIN).href.slice(ANY_ORIGIN.length) : webUrl(url)
  if (checked === null) throw wrong(name, 'a path or an http(s) URL', url)
  // As browsers write it: headers carry nothing but ASCII.
  return checked
}

const ANY_ORIGIN = 'https://any.example'

function wrong(name: string, expected: string, given: string): Error {
  return new Error(`createConsole: ${name} must be ${expected}, not ${JSON.stringify(given)}`)
}
