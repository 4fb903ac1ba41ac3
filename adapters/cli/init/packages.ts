import type { Database, Framework, Project } from './project.js'

/** What the generated files import and package.json does not name yet, as `npm install` wants it. */
export interface Needed {
  packages: string[]
  forDevelopment: string[]
}

/** The versions that the files were written for, and that our tests install. */
export const VERSIONS = {
  creditkit: '',
  stripe: '@23',
  hono: '@4',
  '@hono/node-server': '@2',
  express: '@5',
  next: '@16',
  react: '@19',
  'react-dom': '@19',
  pg: '@8',
  'drizzle-orm': '@0.45',
  '@electric-sql/pglite': '@0.5',
  typescript: '@6',
  tsx: '@4',
  '@types/node': '@20',
  '@types/express': '@5',
  '@types/react': '@19',
} as const

type Name = keyof typeof VERSIONS

const OF_FRAMEWORK: Record<Framework, readonly Name[]> = {
  express: ['express'],
  hono: ['hono', '@hono/node-server'],
  next: ['next', 'react', 'react-dom'],
  node: [],
}

const OF_DATABASE: Record<Database, readonly Name[]> = {
  postgres: ['pg', 'drizzle-orm'],
  drizzle: ['pg', 'drizzle-orm'],
  pglite: ['@electric-sql/pglite'],
}

export function neededPackages(project: Project, framework: Framework, database: Database): Needed {
  const forDevelopment: Name[] = project.isTyped
    ? [
        ...(['typescript', '@types/node'] as const),
        ...(framework === 'next' ? (['@types/react'] as const) : (['tsx'] as const)),
        ...(framework === 'express' ? (['@types/express'] as const) : []),
      ]
    : []
  const missing = (names: readonly Name[]) =>
    names.filter((name) => !project.packages.has(name)).map((name) => `${name}${VERSIONS[name]}`)
  return {
    packages: missing(['creditkit', 'stripe', ...OF_FRAMEWORK[framework], ...OF_DATABASE[database]]),
    forDevelopment: missing(forDevelopment),
  }
}
