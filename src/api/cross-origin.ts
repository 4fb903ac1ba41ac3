import { DoorRefusal } from './requests.js'

/**
 * Refuse what another site makes a browser send with the user's cookies. Browsers say where a request comes from
 * (`sec-fetch-site`, else `origin`), and no page can forge that; callers that are no browsers say neither.
 *
 * Source: the Fetch Metadata recommendation of the W3C, and OWASP's sheet on cross-site request forgery.
 */
export function refuseCrossOrigin(request: Request, allowedOrigins: ReadonlySet<string>): void {
  const origin = request.headers.get('origin')
  if (origin !== null && allowedOrigins.has(origin)) return
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  if (site === null && (origin === null || isSameHost(origin, request))) return
  throw new DoorRefusal(403, 'CROSS_ORIGIN', 'Refused: it comes from another site')
}

/** The scheme is not compared: behind a proxy that ends TLS we can't know it. */
function isSameHost(origin: string, request: Request): boolean {
  const host = request.headers.get('host') ?? new URL(request.url).host
  return URL.canParse(origin) && new URL(origin).host === host
}
