import type { Caller } from '../../../src/api/procedure.js'
import { createCreditsApi } from '../../../src/api/rest.js'
import { createConsole } from '../../console/console.js'
import type { HostService } from '../host-service.js'
import { frontPage } from './front-page.js'

export const WEBHOOK_PATH = '/webhooks/stripe'

interface LocalAppOptions {
  credits: HostService
  /** Where it is served: `http://127.0.0.1:3080`. */
  origin: string
  appName: string
  /** Who looks as long as nobody said otherwise. */
  userId: string
  creditTypeNames?: Readonly<Record<string, string>>
}

/**
 * The webhook, the REST door and the console on one service, for this machine alone: everybody is whom they say they are.
 * Never let it be served to anybody else.
 */
export function localApp(options: LocalAppOptions): (request: Request) => Promise<Response> {
  const { credits, origin, appName, creditTypeNames } = options
  const authenticate = (request: Request) => callerOf(request, options.userId)
  const api = createCreditsApi(credits, { authenticate })
  const pages = createConsole({ credits, authenticate, appName, creditTypeNames, homeUrl: '/' })
  return async (request) => {
    const { pathname, search, searchParams } = new URL(request.url)
    // By another name that leads here, a page of somebody else's could talk to us as if it were ours.
    if (request.headers.get('host') !== new URL(origin).host)
      return request.method === 'GET' ? found(`${origin}${pathname}${search}`) : new Response(null, { status: 403 })
    if (pathname === WEBHOOK_PATH) return credits.handleWebhook(request)
    if (pathname.startsWith('/api/credits/')) return api(request)
    if (pathname === '/credits' || pathname.startsWith('/credits/')) return pages(request)
    if (pathname === '/sign-in') return signIn(searchParams)
    if (pathname === '/') return frontPage(callerOf(request, options.userId), appName, origin)
    return new Response('There is no such page.\n', { status: 404 })
  }
}

/** A header for programs, cookies for browsers. */
function callerOf({ headers }: Request, anybody: string): Caller {
  const cookies = headers.get('cookie') ?? ''
  const user = headers.get('x-dev-user') ?? decoded(/(?:^|; )dev-user=([^;]*)/.exec(cookies)?.[1] ?? '')
  return { userId: user === '' ? anybody : user, isAdmin: /(?:^|; )dev-role=admin(;|$)/.test(cookies) }
}

function signIn(fields: URLSearchParams): Response {
  const isAdmin = fields.get('admin') === 'yes'
  const response = found(isAdmin ? '/credits/admin/users' : '/credits')
  const { headers } = response
  const user = fields.get('user')
  if (user !== null) headers.append('set-cookie', `dev-user=${encodeURIComponent(user.trim())}; ${COOKIE}`)
  headers.append('set-cookie', `dev-role=${isAdmin ? 'admin' : 'customer'}; ${COOKIE}`)
  return response
}

const COOKIE = 'Path=/; HttpOnly; SameSite=Lax'

function found(location: string): Response {
  return new Response(null, { status: 303, headers: { location } })
}

/** Other programs on this machine set cookies as well: one that can't be read is none. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
