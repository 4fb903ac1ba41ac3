import { type Language, typed } from './language.js'

/** The routes of the app router, by their paths. `importOf`: what a file of ours is imported by from a route. */
export function nextRoutes(
  language: Language,
  app: string,
  importOf: (from: string, name: 'credits' | 'credits-caller') => string,
): Record<string, string> {
  const pathOf = (folder: string) => `${app}/${folder}/route.${language.extension}`
  const paths = {
    webhook: pathOf('api/webhooks/stripe'),
    api: pathOf('api/credits/[...path]'),
    pages: pathOf('credits/[[...path]]'),
    report: pathOf('api/report'),
    signIn: pathOf('dev/sign-in'),
  }
  return {
    [paths.webhook]: `import { webhookHandler } from 'creditkit/adapters/next'
import { credits } from '${importOf(paths.webhook, 'credits')}'

// Stripe tells here what was paid. Keep middleware that asks for a session off this path: the signature is what is checked.
export const POST = webhookHandler(credits)
`,
    [paths.api]: `import { apiHandler } from 'creditkit/adapters/next'
import { createCreditsApi } from 'creditkit/api'
import { credits } from '${importOf(paths.api, 'credits')}'
import { callerOf } from '${importOf(paths.api, 'credits-caller')}'

// Balances, packages, checkouts and more, as JSON: see /api/credits/openapi.json.
const api = createCreditsApi(credits, { authenticate: callerOf })
export const { GET, HEAD, POST, PUT, PATCH, DELETE } = apiHandler(api)
`,
    [paths.pages]: `import { apiHandler } from 'creditkit/adapters/next'
import { createConsole } from 'creditkit/console'
import { credits } from '${importOf(paths.pages, 'credits')}'
import { callerOf } from '${importOf(paths.pages, 'credits-caller')}'

// Pages where people see, buy and follow their credits, and administrators look after everybody's.
const pages = createConsole({ credits, authenticate: callerOf })
export const { GET, HEAD, POST, PUT, PATCH, DELETE } = apiHandler(pages)
`,
    [paths.report]: `import { requireCredits } from 'creditkit/adapters/next'
import { credits } from '${importOf(paths.report, 'credits')}'
import { callerOf } from '${importOf(paths.report, 'credits-caller')}'

// An example of a route that costs credits: they are held first, and charged once it has been answered. An answer of 400 or
// more costs nothing; who is short of credits is answered 402.
export const POST = requireCredits(
  credits,
  {
    creditType: 'credits',
    amount: 30,
    userId: async (request) => (await callerOf(request))?.userId,
    buyUrl: '/credits/buy',
  },
  () => Response.json({ report: 'Your work goes here.' }),
)
`,
    [paths.signIn]: `import { devSignIn } from '${importOf(paths.signIn, 'credits-caller')}'

/** Answers 404 anywhere but in development. */
export function GET(request${typed(language, ': Request')})${typed(language, ': Response')} {
  return devSignIn(request)
}
`,
  }
}

export function nextInstrumentation(language: Language, serviceImport: string): string {
  return `/** Next calls it once, when a server starts. */
export async function register()${typed(language, ': Promise<void>')} {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { offerPackages } = await import('${serviceImport}')
  await offerPackages()
}
`
}

export function nextConfig({ isTyped }: Language): string {
  return `${isTyped ? `import type { NextConfig } from 'next'\n\n` : ''}${isTyped ? 'const config: NextConfig = {' : `/** @type {import('next').NextConfig} */\nconst config = {`}
  // Loaded from node_modules instead of being bundled: drivers that are not used need not be installed.
  ${SERVER_PACKAGES}
}

export default config
`
}

export const SERVER_PACKAGES = `serverExternalPackages: ['creditkit', '@electric-sql/pglite'],`
