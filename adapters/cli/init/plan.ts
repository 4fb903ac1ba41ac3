import { posix } from 'node:path'
import { creditSchemaFile } from '../commands/generate.js'
import { callerFile } from './caller-file.js'
import { nextDevFile, serverDevFile } from './dev-file.js'
import { environmentFile } from './environment-file.js'
import { expressRoutes, expressServer } from './express.js'
import { honoRoutes, honoServer } from './hono.js'
import { type Language, languageOf } from './language.js'
import { nextConfig, nextInstrumentation, nextRoutes, SERVER_PACKAGES } from './next.js'
import { nodeRoutes, nodeServer } from './node.js'
import { type Needed, neededPackages } from './packages.js'
import type { Database, Framework, Project } from './project.js'
import { serviceFile } from './service-file.js'

export interface Plan {
  framework: Framework
  database: Database
  /** What each file shall hold, by its path. */
  files: Record<string, string>
  /** What to put by hand into files that are there already; of others, all they should hold. */
  pastes: Record<string, string>
  needed: Needed
  /** What to do besides, before the first start. */
  steps: string[]
  /** The script that starts the app beside a local Stripe. */
  devCommand: string
  startCommand: string
}

/** Everything `init` would write and say. Reads and writes nothing. */
export async function planOf(project: Project, framework: Framework, database: Database): Promise<Plan> {
  const language = languageOf(project.isTyped, project.isModule, framework === 'next')
  const places = placesOf(project, framework, language)
  const runner = project.isTyped ? 'npx tsx' : 'node'
  const commands =
    framework === 'next'
      ? { devCommand: `node ${places.dev}`, startCommand: 'npx next build && npx next start' }
      : {
          devCommand: `${runner} ${places.dev}`,
          startCommand: `${runner} --env-file=.env ${places.server}`,
        }
  const schemaImport = importOf(language, places.service, places.schema)
  const files: Record<string, string> = {
    [places.service]: serviceFile(language, framework, database, schemaImport),
    [places.caller]: callerFile(language, framework, commands.devCommand),
    ...(database === 'drizzle' && { [places.schema]: await creditSchemaFile({ userId: 'text' }) }),
    ...(framework === 'next' ? nextFiles(language, places) : serverFiles(language, framework, places)),
    '.env.example': environmentFile(framework, database, commands.devCommand),
  }
  const pastes = framework === 'next' ? nextPastes(language, places) : serverPastes(language, framework, places)
  const needed = neededPackages(project, framework, database)
  return { framework, database, files, pastes, needed, steps: stepsOf(project, framework, database), ...commands }
}

const OF_DATABASE: Record<Database, readonly string[]> = {
  pglite: [],
  postgres: ['npx creditkit migrate   (makes the tables; DATABASE_URL in .env says where)'],
  drizzle: [
    'Put the schema into `schema` of drizzle.config, then: npx drizzle-kit generate && npx drizzle-kit migrate',
  ],
}

function stepsOf({ isCommonJs }: Project, framework: Framework, database: Database): string[] {
  const isInTheWay = framework === 'next' && isCommonJs
  return [
    ...(isInTheWay ? ['npm pkg delete type   (with "type": "commonjs" Next refuses ES modules, these files too)'] : []),
    ...OF_DATABASE[database],
  ]
}

/** Where each file goes. */
interface Places {
  service: string
  caller: string
  schema: string
  /** Of hosts without Next. */
  routes: string
  server: string
  dev: string
  /** Of Next: the folder of the app router, and files beside it. */
  app: string
  instrumentation: string
  config: string
}

function placesOf(project: Project, framework: Framework, { extension, isTyped }: Language): Places {
  const isNext = framework === 'next'
  const folder = isNext ? `${project.nextSources}lib/` : project.sources
  const service = project.serviceFile ?? `${folder}credits.${extension}`
  const own = posix.dirname(service) === '.' ? '' : `${posix.dirname(service)}/`
  return {
    service,
    caller: `${own}credits-caller.${extension}`,
    schema: `${project.schemaFolder}credit-schema.${extension}`,
    routes: `${own}credits-routes.${extension}`,
    server: `${project.sources}server.${extension}`,
    dev: isNext ? 'dev.mjs' : `${project.sources}dev.${extension}`,
    app: `${project.nextSources}app`,
    instrumentation: `${project.nextSources}instrumentation.${extension}`,
    config: `next.config.${isTyped ? 'ts' : 'mjs'}`,
  }
}

/** How one file imports another, both by their paths. */
function importOf({ importExtension }: Language, from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to).replace(/\.\w+$/, importExtension)
  return path.startsWith('.') ? path : `./${path}`
}

function nextFiles(language: Language, places: Places): Record<string, string> {
  const files = { credits: places.service, 'credits-caller': places.caller }
  return {
    ...nextRoutes(language, places.app, (from, name) => importOf(language, from, files[name])),
    [places.instrumentation]: nextInstrumentation(language, importOf(language, places.instrumentation, places.service)),
    [places.config]: nextConfig(language),
    [places.dev]: nextDevFile(),
  }
}

function nextPastes(language: Language, places: Places): Record<string, string> {
  const service = importOf(language, places.instrumentation, places.service)
  return {
    [places.config]: `${SERVER_PACKAGES}\n`,
    [places.instrumentation]: `// in register(), if process.env.NEXT_RUNTIME === 'nodejs':
const { offerPackages } = await import('${service}')
await offerPackages()
`,
  }
}

const ROUTES = { express: expressRoutes, hono: honoRoutes, node: nodeRoutes } as const
const SERVERS = { express: expressServer, hono: honoServer, node: nodeServer } as const

function serverFiles(language: Language, framework: keyof typeof ROUTES, places: Places): Record<string, string> {
  const imports = {
    credits: importOf(language, places.routes, places.service),
    caller: importOf(language, places.routes, places.caller),
  }
  const ofServer = {
    credits: importOf(language, places.server, places.service),
    routes: importOf(language, places.server, places.routes),
  }
  return {
    [places.routes]: ROUTES[framework](language, imports),
    [places.server]: SERVERS[framework](language, ofServer),
    [places.dev]: serverDevFile(language),
  }
}

const MOUNTS = {
  express: 'app.use(creditRoutes) // after what reads sessions, before express.json()',
  hono: `app.route('/', creditRoutes)`,
  node: 'const answer = await creditRoutes(request) // a Fetch request; null: it is about something else',
} as const

function serverPastes(language: Language, framework: keyof typeof MOUNTS, places: Places): Record<string, string> {
  const routes = importOf(language, places.server, places.routes)
  const service = importOf(language, places.server, places.service)
  return {
    [places.server]: `import { creditRoutes } from '${routes}'
import { offerPackages } from '${service}'

${MOUNTS[framework]}
await offerPackages() // before it listens
`,
  }
}
