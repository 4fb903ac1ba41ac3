import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/* The arrows of DESIGN section 2, proved from the sources. The linter says the same while one types. */

const ROOT = fileURLToPath(new URL('..', import.meta.url))

interface Import {
  /** File that imports, from the repository's root. */
  from: string
  /** A package's name, or a file from the repository's root. */
  to: string
  typeOnly: boolean
  dynamic: boolean
}

const files = ['src', 'adapters', 'test', 'examples'].flatMap(sourcesUnder)
const imports = files.flatMap(importsOf)

function sourcesUnder(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|tsx|js|mjs)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !/(^|\/)(node_modules|dist|\.next)\//.test(path))
}

function importsOf(from: string): Import[] {
  const source = ts.createSourceFile(from, readFileSync(join(ROOT, from), 'utf8'), ts.ScriptTarget.Latest)
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean, dynamic: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      found.push({ from, to: target(from, specifier.text), typeOnly, dynamic })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause), false)
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly, false)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false, true)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true, false)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** `import type …`, or an import in which every name is a type. */
function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const names = clause.namedBindings
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every((name) => name.isTypeOnly)
  )
}

function target(from: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.join(dirname(from), specifier).replace(/\.js$/, '.ts') : specifier
}

/** Is it a file of ours? Everything else is a package. */
const isOurs = (path: string) => /^(src|adapters|test|examples|bench)\//.test(path)
const isNodeBuiltIn = (path: string) => path.startsWith('node:')
const under = (...folders: string[]) => {
  return (path: string) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
}

/** The imports from some files that no rule allows. */
function breaches(from: (path: string) => boolean, allowed: (found: Import) => boolean): string[] {
  return imports
    .filter((found) => from(found.from) && !allowed(found))
    .map(({ from: file, to, typeOnly }) => `${file} → ${to}${typeOnly ? ' (types)' : ''}`)
}

const isBackend = under(
  ...['memory', 'memory-store', 'memory-cache', 'redis', 'pglite'].map((name) => `adapters/${name}.ts`),
  ...['adapters/redis', 'adapters/postgres', 'adapters/stripe'],
)
const isMount = under(
  ...['express', 'next', 'hono', 'node', 'trpc', 'node-request', 'node-answer', 'fetch-answer', 'require-credits'].map(
    (name) => `adapters/${name}.ts`,
  ),
  'adapters/trpc',
)

/** Which product a backend file translates to. */
function product(path: string): string {
  const [, name = ''] = /^adapters\/([a-z]+)/.exec(path) ?? []
  return name === 'pglite' ? 'postgres' : name
}

describe('the rooms and arrows', () => {
  it('are looked at: this test sees the files and their imports', () => {
    expect(files.length).toBeGreaterThan(100)
    expect(imports.length).toBeGreaterThan(300)
    expect(imports).toContainEqual(expect.objectContaining({ from: 'src/defaults.ts', dynamic: true }))
    const ours = imports.filter(({ from, to }) => isOurs(to) && !under('examples')(from))
    const missing = ours.filter(({ to }) => ![to, `${to}x`].some((path) => existsSync(resolve(ROOT, path))))
    expect(missing.filter(({ to }) => !existsSync(resolve(ROOT, to.replace(/\.ts$/, '.d.ts'))))).toEqual([])
  })

  it('src knows no adapter, but for its composition root, which loads them when they are needed', () => {
    const atRoot = ({ from, dynamic }: Import) => from === 'src/defaults.ts' && dynamic
    expect(
      breaches(under('src'), (found) => !under('adapters', 'test', 'examples')(found.to) || atRoot(found)),
    ).toEqual([])
  })

  it('src knows no driver, no framework and no node built-in', () => {
    const libraries = new Set(['zod', 'uuid', 'lru-cache'])
    expect(breaches(under('src'), ({ to }) => isOurs(to) || libraries.has(to))).toEqual([])
  })

  it('the ledger imports itself and the errors, and nothing else', () => {
    expect(breaches(under('src/ledger'), ({ to }) => under('src/ledger', 'src/errors.ts')(to))).toEqual([])
  })

  it('the ledger asks neither for the time nor for chance', () => {
    const pure = files.filter(under('src/ledger')).filter((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8')
      return /Math\.random|Date\.now|new Date\(\)|crypto|process\.|console\.|\basync\b|\bawait\b|Promise/.test(text)
    })
    expect(pure).toEqual([])
  })

  it('ports import nothing but types of the ledger and of each other', () => {
    const allowed = ({ to, typeOnly }: Import) => typeOnly && under('src/ledger', 'src/ports')(to)
    expect(breaches(under('src/ports'), allowed)).toEqual([])
  })

  it('backends never import each other', () => {
    const allowed = ({ from, to }: Import) => !isBackend(to) || product(from) === product(to)
    expect(breaches(isBackend, allowed)).toEqual([])
  })

  it('backends know of src only ports, errors, the ledger, the registry and what options of a cache can be', () => {
    const allowed = under('src/ports', 'src/errors.ts', 'src/ledger', 'src/registry.ts', 'src/cache-options.ts')
    expect(breaches(isBackend, ({ to }) => !under('src')(to) || allowed(to))).toEqual([])
  })

  it('mounts know of src only errors, the list of procedures, and types of the services', () => {
    const written = new Set([
      // The raw body of an event, for hosts that hold it themselves.
      'adapters/trpc/webhook.ts → src/inputs.ts',
      // The default of an option.
      'adapters/node.ts → src/ports/logger.ts',
    ])
    const isKnown = under('src/errors.ts', 'src/api')
    const allowed = ({ from, to, typeOnly }: Import) =>
      !under('src')(to) || isKnown(to) || typeOnly || written.has(`${from} → ${to}`)
    expect(breaches(isMount, allowed)).toEqual([])
    expect(breaches(isMount, ({ to }) => !isBackend(to) && !under('src/ledger')(to))).toEqual([])
  })

  it('the services know nothing of the doors', () => {
    const isService = (path: string) => under('src')(path) && !under('src/api')(path)
    expect(breaches(isService, ({ to }) => !under('src/api')(to))).toEqual([])
  })

  it('the client and React know of src only types, and the table of routes', () => {
    const isBrowser = under(
      ...['client', 'react'].flatMap((name) => [`adapters/${name}`, `adapters/${name}.ts`, `adapters/${name}.tsx`]),
    )
    const allowed = ({ to, typeOnly }: Import) =>
      typeOnly || to === 'src/api/routes.ts' || to === 'react' || isBrowser(to)
    expect(breaches(isBrowser, allowed)).toEqual([])
  })

  it('metered models know of src only errors, retries, how prices are rounded, the default logger, and types', () => {
    const isMetering = under('adapters/ai', 'adapters/ai.ts')
    const known = new Set(['src/errors.ts', 'src/retry.ts', 'src/ledger/price.ts', 'src/ports/logger.ts'])
    const allowed = ({ to, typeOnly }: Import) => typeOnly || known.has(to) || isMetering(to)
    expect(breaches(isMetering, allowed)).toEqual([])
    // They hold credits by the public service alone.
    expect(breaches(isMetering, ({ to }) => !isBackend(to))).toEqual([])
  })

  it('plugins of other libraries know of src only errors, retries, the default logger, and types', () => {
    const isPlugin = under('adapters/better-auth', 'adapters/better-auth.ts', 'adapters/opentelemetry.ts')
    const known = new Set(['src/errors.ts', 'src/retry.ts', 'src/ports/logger.ts', '@opentelemetry/api'])
    expect(breaches(isPlugin, ({ to, typeOnly }) => typeOnly || known.has(to) || isPlugin(to))).toEqual([])
    expect(breaches(isPlugin, ({ to }) => !isBackend(to))).toEqual([])
  })

  it('adapters never import tests, and nothing that ships imports examples', () => {
    expect(breaches(under('adapters', 'src'), ({ to }) => !under('test', 'examples', 'bench')(to))).toEqual([])
  })

  it('examples import the package by its name', () => {
    expect(breaches(under('examples'), ({ to }) => !under('src', 'adapters', 'test')(to))).toEqual([])
  })

  it('the conformance suites, which ship, import only vitest, src and what the package depends on', () => {
    const packages = new Set(['vitest', 'uuid'])
    const allowed = ({ to }: Import) => under('src', 'test/conformance')(to) || packages.has(to) || to === 'node:crypto'
    expect(breaches(under('test/conformance'), allowed)).toEqual([])
  })

  it('only backends, mounts and the testing door use node built-ins', () => {
    const allowed = ({ to }: Import) => !isNodeBuiltIn(to)
    const isDoor = (path: string) => under('adapters')(path) && !isBackend(path) && !isMount(path)
    expect(
      breaches((path) => isDoor(path) && !under('adapters/testing', 'adapters/cli', 'adapters/cli.ts')(path), allowed),
    ).toEqual([])
  })
})

describe('the shape of the repository', () => {
  it('has no file of 400 lines or more', () => {
    const long = files
      .filter(under('src', 'adapters', 'test'))
      .map((path) => ({ path, lines: readFileSync(join(ROOT, path), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines >= 400)
    expect(long).toEqual([])
  })

  it('has at its top level what DESIGN names, and nothing else', () => {
    const named = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsup.config.ts', 'CHANGELOG.md', 'README.md']
    const folders = ['src', 'adapters', 'examples', 'test', 'bench', 'docs']
    const made = ['LICENSE', 'node_modules', 'dist']
    const known = new Set([...named, ...folders, ...made])
    expect(readdirSync(ROOT).filter((name) => !name.startsWith('.') && !known.has(name))).toEqual([])
  })

  it('names files in kebab-case, by their one idea', () => {
    const banned = /(^|\/)(utils?|helpers?|common|manager|base|types)\.(ts|tsx)$/
    expect(files.filter((path) => banned.test(path))).toEqual([])
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.test-d|\.config|\.d)?\.(ts|tsx|js|mjs)$/
    const named = files.filter((path) => under('src', 'adapters', 'test')(path))
    expect(named.filter((path) => !kebab.test(posix.basename(path)))).toEqual([])
  })
})
