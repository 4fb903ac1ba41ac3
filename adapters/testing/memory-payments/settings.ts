/** How to set up the payment provider in memory. Everything may be left out. */
export interface MemoryPaymentsOptions {
  /** Does it say that its money is real? Default false. */
  livemode?: boolean
  /** What webhooks are signed with; null: not configured, so that they are refused. Default `memory_secret`. */
  webhookSecret?: string | null
  /** What embedded checkouts are shown with; null: not configured. Default `memory_publishable_key`. */
  publishableKey?: string | null
  /** Where your app is served; buyers are sent back only to its origin. Default `https://app.example`. */
  appUrl?: string
  /** More origins that buyers may be sent back to. */
  allowedOrigins?: readonly string[]
  /** Links a user to an existing customer of this provider. */
  customer?: (userId: string) => Promise<{ id?: string | undefined } | null | undefined>
  /** Gives objects and events their times, and decides when sessions expire and signatures are too old. Default the real time. */
  clock?: { now(): Date }
  /** What becomes of events at first. Default `auto`. */
  delivery?: MemoryDeliveryMode
  /** How long a call waits for an answer that does not come, in milliseconds; default 50. */
  timeoutMs?: number
}

/**
 * What happens to a new event.
 *
 * - `auto`: delivered at once, in order; kept for `deliver()` while the endpoint does not answer 2xx.
 * - `hold`: kept until `deliver()`.
 * - `drop`: never delivered by itself. `deliver` sends it when it is named.
 */
export type MemoryDeliveryMode = 'auto' | 'hold' | 'drop'

/** The options with their defaults in. */
export type MemorySettings = Required<Omit<MemoryPaymentsOptions, 'customer'>> & Pick<MemoryPaymentsOptions, 'customer'>

export function settingsOf(options: MemoryPaymentsOptions): MemorySettings {
  return {
    livemode: false,
    webhookSecret: 'memory_secret',
    publishableKey: 'memory_publishable_key',
    appUrl: 'https://app.example',
    allowedOrigins: [],
    clock: { now: () => new Date() },
    delivery: 'auto',
    timeoutMs: 50,
    ...options,
  }
}

/** A return URL made absolute, or null when its origin is not allowed. What is read in two ways is refused. */
export function resolveReturnUrl(
  url: string,
  { appUrl, allowedOrigins }: Pick<MemorySettings, 'appUrl' | 'allowedOrigins'>,
): string | null {
  const isStrange = url.startsWith('//') || url.includes('\\') || Array.from(url).some((char) => char <= ' ')
  if (isStrange || !URL.canParse(url, appUrl)) return null
  const resolved = new URL(url, appUrl)
  if (resolved.username !== '' || resolved.password !== '' || !/^https?:$/.test(resolved.protocol)) return null
  const origins = [appUrl, ...allowedOrigins].map((each) => new URL(each).origin)
  return origins.includes(resolved.origin) ? resolved.href : null
}
