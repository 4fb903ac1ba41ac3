import { closing, type RouteImports, type ServerImports } from './server-parts.js'
import { type Language, typed } from './language.js'

/** Everything about credits, as a Hono app that can be mounted in another one. */
export function honoRoutes(_language: Language, imports: RouteImports): string {
  return `import { apiHandler, requireCredits, webhookHandler } from 'creditkit/adapters/hono'
import { createCreditsApi } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import { Hono } from 'hono'
import { callerOf, devSignIn } from '${imports.caller}'
import { credits } from '${imports.credits}'

/** Everything about credits: \`app.route('/', creditRoutes)\`. */
export const creditRoutes = new Hono()

// Stripe tells here what was paid. Nothing may ask for a session before it: the signature is what is checked.
creditRoutes.post('/api/webhooks/stripe', webhookHandler(credits))

// Balances, packages, checkouts and more, as JSON: see /api/credits/openapi.json.
const api = createCreditsApi(credits, { authenticate: callerOf })
creditRoutes.all('/api/credits/*', apiHandler(api))

// Pages where people see, buy and follow their credits, and administrators look after everybody's.
creditRoutes.all('/credits/*', apiHandler(createConsole({ credits, authenticate: callerOf })))

creditRoutes.get('/dev/sign-in', (c) => devSignIn(c.req.raw))

// An example of a route that costs credits: they are held first, and charged once it has been answered. An answer of 400 or
// more costs nothing; who is short of credits is answered 402.
const report = requireCredits(credits, {
  creditType: 'credits',
  amount: 30,
  userId: async (c) => (await callerOf(c.req.raw))?.userId,
  buyUrl: '/credits/buy',
})
creditRoutes.post('/api/report', report, (c) => c.json({ report: 'Your work goes here.' }))
`
}

export function honoServer(language: Language, imports: ServerImports): string {
  return `import { once } from 'node:events'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { creditRoutes } from '${imports.routes}'
import { credits, offerPackages } from '${imports.credits}'

const app = new Hono()
app.route('/', creditRoutes)
app.get('/', (c) => c.redirect('/credits'))

async function start()${typed(language, ': Promise<void>')} {
  await offerPackages()
  const port = Number(process.env.PORT ?? 3000)
  // Only this machine, unless HOST says otherwise (0.0.0.0: everybody).
  const hostname = process.env.HOST ?? '127.0.0.1'
  const server = serve({ fetch: app.fetch, port, hostname })
${closing(language)}}

/** Resolves when the packages are on sale and the server listens. */
export const started = start()
`
}
