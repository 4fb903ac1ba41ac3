import { closing, type RouteImports, type ServerImports } from './server-parts.js'
import { type Language, typed } from './language.js'

/** Everything about credits, as a function from Fetch requests to answers. */
export function nodeRoutes(language: Language, imports: RouteImports): string {
  return `import { ERROR_CODES, isCreditError } from 'creditkit'
import { createCreditsApi } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import { callerOf, devSignIn } from '${imports.caller}'
import { credits } from '${imports.credits}'

// Balances, packages, checkouts and more, as JSON: see /api/credits/openapi.json.
const api = createCreditsApi(credits, { authenticate: callerOf })

// Pages where people see, buy and follow their credits, and administrators look after everybody's.
const pages = createConsole({ credits, authenticate: callerOf })

/** Everything about credits; null: the request is about something else. */
export async function creditRoutes(request${typed(language, ': Request')})${typed(language, ': Promise<Response | null>')} {
  const { pathname } = new URL(request.url)
  // Stripe tells here what was paid. Nothing may ask for a session before it: the signature is what is checked.
  if (pathname === '/api/webhooks/stripe') return credits.handleWebhook(request)
  if (pathname.startsWith('/api/credits/')) return api(request)
  if (pathname === '/credits' || pathname.startsWith('/credits/')) return pages(request)
  if (pathname === '/api/report' && request.method === 'POST') return report(request)
  if (pathname === '/dev/sign-in') return devSignIn(request)
  return null
}

/**
 * An example of a route that costs credits: they are held while the work is done, and charged when it is. Work that throws
 * costs nothing; who is short of credits is answered 402.
 */
async function report(request${typed(language, ': Request')})${typed(language, ': Promise<Response>')} {
  const caller = await callerOf(request)
  if (caller === null) return Response.json({ error: 'UNAUTHORIZED' }, { status: 401 })
  try {
    const { result } = await credits.withHold(
      { userId: caller.userId, amount: 30, creditType: 'credits', description: 'A report' },
      async () => 'Your work goes here.',
    )
    return Response.json({ report: result })
  } catch (error) {
    if (!isCreditError(error)) throw error
    return Response.json(
      { error: error.code, message: error.message, buyUrl: '/credits/buy' },
      { status: ERROR_CODES[error.code].httpStatus },
    )
  }
}
`
}

export function nodeServer(language: Language, imports: ServerImports): string {
  return `import { once } from 'node:events'
import { createServer } from 'node:http'
import { apiHandler } from 'creditkit/adapters/node'
import { creditRoutes } from '${imports.routes}'
import { credits, offerPackages } from '${imports.credits}'

async function answer(request${typed(language, ': Request')})${typed(language, ': Promise<Response>')} {
  const { pathname } = new URL(request.url)
  if (pathname === '/') return new Response(null, { status: 303, headers: { location: '/credits' } })
  return (await creditRoutes(request)) ?? new Response('Not found', { status: 404 })
}

async function start()${typed(language, ': Promise<void>')} {
  await offerPackages()
  const port = Number(process.env.PORT ?? 3000)
  // Only this machine, unless HOST says otherwise (0.0.0.0: everybody).
  const server = createServer(apiHandler(answer)).listen(port, process.env.HOST ?? '127.0.0.1')
${closing(language)}}

/** Resolves when the packages are on sale and the server listens. */
export const started = start()
`
}
