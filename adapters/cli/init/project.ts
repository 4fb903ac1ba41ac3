import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { WrongUsage } from '../failure.js'
import { findServiceFile } from '../host-service.js'

export const FRAMEWORKS = ['express', 'next', 'hono', 'node'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** `drizzle`: PostgreSQL, with our tables in the host's own Drizzle schema. */
export const DATABASES = ['postgres', 'drizzle', 'pglite'] as const
export type Database = (typeof DATABASES)[number]

/** What is known of the host's project before anybody is asked. */
export interface Project {
  /** Null: its package.json names none. */
  framework: Framework | null
  database: Database | null
  isTyped: boolean
  /** Are its `.js` files ES modules? */
  isModule: boolean
  /** Does its package.json say that they are CommonJS, as `npm init` writes it? */
  isCommonJs: boolean
  /** The packages its package.json names. */
  packages: ReadonlySet<string>
  /** `npm install`, or what its lock file stands for. */
  installer: Installer
  /** Where its sources are: `src/`, or nothing. */
  sources: string
  /** The file with a service that is there already. */
  serviceFile: string | null
  /** Of Next: the folder of `app`. */
  nextSources: string
  /** Where Drizzle's schema probably is. */
  schemaFolder: string
}

export interface Installer {
  command: string
  add: readonly string[]
  addForDevelopment: readonly string[]
}

/** @throws {WrongUsage} There is no package.json, or it is none. */
export function readProject(cwd: string): Project {
  const manifest = readManifest(cwd)
  const has = (path: string) => existsSync(join(cwd, path))
  const packages = new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }))
  const sources = has('src') ? 'src/' : ''
  const service = findServiceFile(cwd)
  const nextFolder = ['src/app', 'src/pages', 'app', 'pages'].find(has) ?? sources
  return {
    framework: (['next', 'hono', 'express'] as const).find((name) => packages.has(name)) ?? null,
    database: databaseOf(cwd, packages),
    isTyped: has('tsconfig.json') || packages.has('typescript'),
    isModule: manifest.type === 'module',
    isCommonJs: manifest.type === 'commonjs',
    packages,
    installer: installerOf(has),
    sources,
    serviceFile: service === null ? null : relative(cwd, service).replaceAll('\\', '/'),
    nextSources: nextFolder.startsWith('src') ? 'src/' : '',
    schemaFolder: ['src/db/', 'db/'].find(has) ?? sources,
  }
}

interface Manifest {
  type?: unknown
  dependencies?: object
  devDependencies?: object
}

function readManifest(cwd: string): Manifest {
  const path = join(cwd, 'package.json')
  if (!existsSync(path)) throw new WrongUsage('there is no package.json here: run npm init -y first')
  try {
    const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof manifest === 'object' && manifest !== null) return manifest
  } catch {
    // Said below, with what is no object.
  }
  throw new WrongUsage('package.json can not be read: it is no JSON object')
}

const DRIZZLE_CONFIGS = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json'].map((extension) => `drizzle.config.${extension}`)

function databaseOf(cwd: string, packages: ReadonlySet<string>): Database | null {
  const config = DRIZZLE_CONFIGS.map((name) => join(cwd, name)).find((path) => existsSync(path))
  // Of MySQL or SQLite, its schema can not hold our tables.
  if (config !== undefined && /postgres/.test(readFileSync(config, 'utf8'))) return 'drizzle'
  if (packages.has('pg') || packages.has('postgres')) return 'postgres'
  return packages.has('@electric-sql/pglite') ? 'pglite' : null
}

function installerOf(has: (path: string) => boolean): Installer {
  const other = [
    ['pnpm', 'pnpm-lock.yaml'],
    ['yarn', 'yarn.lock'],
    ['bun', 'bun.lock'],
    ['bun', 'bun.lockb'],
  ].find(([, lockFile = '']) => has(lockFile))?.[0]
  if (other === undefined) return { command: 'npm', add: ['install'], addForDevelopment: ['install', '--save-dev'] }
  return { command: other, add: ['add'], addForDevelopment: ['add', '-D'] }
}
