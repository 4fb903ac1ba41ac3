/** Stripe puts the session's id here. */
const PLACEHOLDER = '{CHECKOUT_SESSION_ID}'

/**
 * A return URL made absolute, or null when it leads anywhere but to an allowed origin. Paths resolve as a browser would
 * on the page `appUrl`: `billing` lies below it, `/billing` at its origin's root.
 *
 * What counts is the origin of the parsed URL, and the parsed URL is what is returned. Writings that people and parsers
 * read differently (`//host`, backslashes, control characters, user names) are refused besides.
 */
export function resolveUrl(url: string, appUrl: URL, allowedOrigins: ReadonlySet<string>): string | null {
  if (url.startsWith('//') || url.includes('\\') || hasWhiteSpaceOrControl(url)) return null
  if (!URL.canParse(url, appUrl.href)) return null
  const resolved = new URL(url, appUrl)
  if (resolved.username !== '' || resolved.password !== '') return null
  // `origin` is 'null' for javascript:, data: and the like, which is never on the list; blob: claims an inner origin.
  if (resolved.protocol !== 'https:' && resolved.protocol !== 'http:') return null
  if (!allowedOrigins.has(resolved.origin)) return null
  return resolved.href.replaceAll(encodeURIComponent(PLACEHOLDER), PLACEHOLDER)
}

function hasWhiteSpaceOrControl(text: string): boolean {
  return /\s/.test(text) || Array.from(text).some((char) => char < ' ' || char === '\u007F')
}
