import { closing, type RouteImports, type ServerImports } from './server-parts.js'
import { type Language, typed } from './language.js'

/** Everything about credits, as an Express router. */
export function expressRoutes(language: Language, imports: RouteImports): string {
  return `import { apiHandler, requireCredits, webhookHandler } from 'creditkit/adapters/express'
import { createCreditsApi } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import { ${typed(language, 'type Request, ')}Router } from 'express'
import { callerOf, devSignIn } from '${imports.caller}'
import { credits } from '${imports.credits}'

/** Everything about credits: \`app.use(creditRoutes)\`, after what reads sessions and before \`express.json()\`. */
export const creditRoutes${typed(language, ': Router')} = Router()

// Stripe tells here what was paid. Nothing may read the body before it: its bytes are what is signed.
creditRoutes.post('/api/webhooks/stripe', webhookHandler(credits))

// Express's own request is what sessions are kept on.
const authenticate = (_request${typed(language, ': unknown')}, request${typed(language, ': unknown')}) => callerOf(request${typed(language, ' as Request')})

// Balances, packages, checkouts and more, as JSON: see /api/credits/openapi.json.
creditRoutes.use('/api/credits', apiHandler(createCreditsApi(credits, { authenticate })))

// Pages where people see, buy and follow their credits, and administrators look after everybody's.
creditRoutes.use('/credits', apiHandler(createConsole({ credits, authenticate })))

creditRoutes.get('/dev/sign-in', devSignIn)

// An example of a route that costs credits: they are held first, and charged once it has been answered. An answer of 400 or
// more costs nothing; who is short of credits is answered 402.
const report = requireCredits(credits, {
  creditType: 'credits',
  amount: 30,
  userId: async (request) => (await callerOf(request))?.userId,
  buyUrl: '/credits/buy',
})
creditRoutes.post('/api/report', report, (_request, response) => {
  response.json({ report: 'Your work goes here.' })
})
`
}

export function expressServer(language: Language, imports: ServerImports): string {
  return `import { once } from 'node:events'
import express from 'express'
import { creditRoutes } from '${imports.routes}'
import { credits, offerPackages } from '${imports.credits}'

const app = express()
app.use(creditRoutes)
app.use(express.json())
app.get('/', (_request, response) => response.redirect('/credits'))

async function start()${typed(language, ': Promise<void>')} {
  await offerPackages()
  const port = Number(process.env.PORT ?? 3000)
  // Only this machine, unless HOST says otherwise (0.0.0.0: everybody).
  const server = app.listen(port, process.env.HOST ?? '127.0.0.1')
${closing(language)}}

/** Resolves when the packages are on sale and the server listens. */
export const started = start()
`
}
