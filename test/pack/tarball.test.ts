import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Folder, installedFolder } from './folder.js'
import { root, run } from './run.js'

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { types: string; default: string }>
}

describe('the tarball', () => {
  it('holds the build, the manifest and what people read, and nothing else', async () => {
    const listing = await run('tar', ['-tzf', inject('tarball')], { cwd: root })
    const files = listing.trim().split('\n')
    const expected = /^package\/(dist\/[\w./-]+\.(js|js\.map|d\.ts)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/
    expect(files.filter((file) => !expected.test(file))).toEqual([])
    const targets = Object.values(exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : [entry.types, entry.default],
    )
    const missing = targets.filter((target) => !files.includes(target.replace(/^\./, 'package')))
    expect(missing).toEqual([])
  })
})

describe('creditkit alone, in a folder with no peer installed', () => {
  let folder: Folder

  beforeAll(async () => {
    folder = await installedFolder()
  })
  afterAll(() => folder.remove())

  const node = (script: string, env: Record<string, string> = {}) =>
    run(process.execPath, ['--input-type=module', '--eval', script], { cwd: folder.path, env })

  const installed = () => readdirSync(join(folder.path, 'node_modules')).filter((name) => !name.startsWith('.'))

  it('brings only its five small dependencies, which anybody may use', () => {
    expect(installed().sort()).toEqual(['commander', 'creditkit', 'jiti', 'lru-cache', 'uuid', 'zod'])
    const licences = installed().map((name) => {
      const text = readFileSync(join(folder.path, 'node_modules', name, 'package.json'), 'utf8')
      return (JSON.parse(text) as { license: string }).license
    })
    expect(licences.filter((licence) => !['MIT', 'ISC', 'BlueOak-1.0.0'].includes(licence))).toEqual([])
  })

  it('has a source map with its sources for every script, so that stack traces can be read', () => {
    const dist = join(folder.path, 'node_modules/creditkit/dist')
    const scripts = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'))
    const unmapped = scripts.filter((file) => {
      // Written by esbuild.
      const map = JSON.parse(readFileSync(join(dist, `${file}.map`), 'utf8')) as { sources: []; sourcesContent?: [] }
      return map.sources.length !== map.sourcesContent?.length
    })
    expect(scripts.length).toBeGreaterThan(20)
    expect(unmapped).toEqual([])
  })

  it('can be imported and constructed, and names what to install when it is used', async () => {
    const use = `
      import { CreditService } from 'creditkit'
      const credits = new CreditService()
      await credits.getBalance('ada', 'enrichment').catch(({ code, message }) => console.log(code, message))`
    const embedded = await node(use)
    expect(embedded).toContain('STORE_NOT_CONFIGURED')
    expect(embedded).toContain('npm install @electric-sql/pglite')
    const postgres = await node(use, { DATABASE_URL: 'postgres://127.0.0.1:1/none' })
    expect(postgres).toContain('STORE_NOT_CONFIGURED')
    expect(postgres).toMatch(/npm install .*\bpg\b/)
  })

  it('has a command line, which says what to install for what it is asked', async () => {
    const command = join(folder.path, 'node_modules', '.bin', 'creditkit')
    expect(await run(command, ['--help'], { cwd: folder.path })).toContain('prove')
    const proving = run(command, ['prove', '--database', 'postgres://127.0.0.1:1/none'], { cwd: folder.path })
    await expect(proving).rejects.toThrow(/creditkit: this needs (pg|drizzle-orm): npm install/)
  })

  it('runs on the memory store', async () => {
    const output = await node(`
      import { CreditService, InsufficientCreditsError } from 'creditkit'
      import { memoryStore } from 'creditkit/adapters/memory'
      const credits = new CreditService({ store: memoryStore() })
      await credits.addCredits('ada', 10, 'enrichment', 'Welcome')
      const error = await credits.deductCredits('ada', 20, 'enrichment', 'Too much').catch((error) => error)
      console.log(await credits.getBalance('ada', 'enrichment'), error instanceof InsufficientCreditsError)`)
    expect(output.trim()).toBe('10 true')
  })

  it('can be required from CommonJS, and is the same module there', async () => {
    folder.write(
      'common.cjs',
      `const { CreditService, CreditError, PaymentsNotConfiguredError } = require('creditkit')
      const { memoryStore } = require('creditkit/adapters/memory')
      import('creditkit').then(async (imported) => {
        const credits = new imported.CreditService({ store: memoryStore() })
        const error = await credits.marketplace.createCheckout({ userId: 'ada', packageId: 1 }).catch((error) => error)
        console.log(error instanceof PaymentsNotConfiguredError, error instanceof CreditError, imported.CreditService === CreditService)
      })`,
    )
    const output = await run(process.execPath, ['common.cjs'], { cwd: folder.path })
    expect(output.trim()).toBe('true true true')
  })
})

describe('with the packages its users have', () => {
  let folder: Folder

  beforeAll(async () => {
    folder = await installedFolder({
      '@electric-sql/pglite': '^0.5.0',
      '@opentelemetry/api': '~1.9.0',
      '@trpc/server': '^11.4.0',
      '@types/express': '^5.0.0',
      '@types/node': '^20.0.0',
      '@types/react': '^19.0.0',
      ai: '^6.0.0',
      'drizzle-orm': '^0.45.0',
      hono: '^4.0.0',
      stripe: '^23.0.0',
      'typescript-5': 'npm:typescript@~5.9.0',
      'typescript-6': 'npm:typescript@~6.0.0',
    })
    folder.write('consumer.ts', CONSUMER)
  })
  afterAll(() => folder.remove())

  it('recognises errors by `instanceof` whichever entry threw them', async () => {
    folder.write(
      'entries.mjs',
      `import { InsufficientCreditsError, CreditService, PaymentsNotConfiguredError, StoreNotConfiguredError } from 'creditkit'
      import { pgliteStore } from 'creditkit/adapters/pglite'
      import { postgresStore } from 'creditkit/adapters/postgres'
      import { stripePayments } from 'creditkit/adapters/stripe'
      const thrown = (work) => { try { work() } catch (error) { return error } }
      const credits = new CreditService({ store: pgliteStore() })
      const short = await credits.deductCredits('ada', 1, 'enrichment', 'x').catch((error) => error)
      console.log(
        short instanceof InsufficientCreditsError,
        thrown(() => stripePayments()) instanceof PaymentsNotConfiguredError,
        thrown(() => postgresStore({})) instanceof StoreNotConfiguredError,
      )
      await credits.close()`,
    )
    const output = await run(process.execPath, ['entries.mjs'], { cwd: folder.path })
    expect(output.trim()).toBe('true true true')
  })

  it.each(['22', '24'])('serves on Node %s, every entry point included', async (version) => {
    const entries = Object.keys(exports).filter((entry) => !/package\.json|react|conformance|better-auth/.test(entry))
    folder.write(
      'serve.mjs',
      `${entries.map((entry) => `import 'creditkit${entry.slice(1)}'`).join('\n')}
      import { CreditService } from 'creditkit'
      const credits = new CreditService()
      await credits.addCredits('ada', 10, 'enrichment', 'Welcome')
      await credits.deductCredits('ada', 4, 'enrichment', 'Use')
      console.log(process.version, await credits.getBalance('ada', 'enrichment'), (await credits.verify()).violations)
      await credits.close()`,
    )
    const output = await run('npx', ['--yes', '-p', `node@${version}`, 'node', 'serve.mjs'], { cwd: folder.path })
    expect(output.trim().split('\n').at(-1)).toMatch(new RegExp(`^v${version}\\.\\d+\\.\\d+ 6 \\[\\]$`))
  })

  // Each compiler and each resolution once: both of both take a minute longer and have never differed.
  it.each([
    ['typescript-5', 'nodenext'],
    ['typescript-6', 'bundler'],
  ])('%s compiles a consumer with moduleResolution %s, our own types included', async (compiler, resolution) => {
    // `skipLibCheck: false` also checks drivers that refer to packages nobody has installed: only our files count.
    const project = `tsconfig.${compiler}.${resolution}.json`
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext'
    const compilerOptions = {
      target: 'es2023',
      module,
      moduleResolution: resolution,
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    }
    folder.write(project, JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
    const tsc = join(folder.path, 'node_modules', compiler, 'bin/tsc')
    expect(existsSync(tsc)).toBe(true)
    const output = await run(process.execPath, [tsc, '-p', project, '--pretty', 'false'], {
      cwd: folder.path,
    }).catch((error: unknown) => String(error))
    expect(output.split('\n').filter((line) => /^(consumer|node_modules\/creditkit)/.test(line))).toEqual([])
  })
})

/** Imports every entry; a line that must not compile is marked, and fails the compilation when it does. */
const CONSUMER = `
${Object.keys(exports)
  .filter((entry) => entry !== './package.json')
  .map((entry, index) => `import * as entry${index} from 'creditkit${entry.slice(1)}'`)
  .join('\n')}
import { CreditService, InsufficientCreditsError } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'

const credits = new CreditService({ creditTypes: ['coffee', 'tea'], store: memoryStore() })
const { amount } = await credits.deductCredits({ userId: 1, amount: 1, creditType: 'tea', description: 'A cup' })
const all: { balance: number } = (await credits.getAllBalances('ada')).coffee

// @ts-expect-error There is no such credit type.
await credits.deductCredits({ userId: 1, amount: 1, creditType: 'cocoa', description: 'A cup' })
// @ts-expect-error Nor here.
await credits.addCredits(1, 1, 'cocoa', 'A cup')
// @ts-expect-error Nor there.
await credits.getBalance('ada', 'cocoa')
// @ts-expect-error With two credit types, one must be named.
await credits.deductCredits({ userId: 1, amount: 1, description: 'A cup' })

const guide = new CreditService()
await guide.deductCredits(1, 10, 'enrichment', 'Enriched 10 leads from list #123', '123', 'lead_list', { leadListId: 123 })
// @ts-expect-error The guide's own three are the default.
await guide.getBalance(1, 'coffee')

const shortfall = (error: unknown): number => (error instanceof InsufficientCreditsError ? error.shortfall : 0)

export { all, amount, shortfall }
export const entries = [${Object.keys(exports)
  .filter((entry) => entry !== './package.json')
  .map((_, index) => `entry${index}`)
  .join(', ')}]
`
