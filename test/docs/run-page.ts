import { dirname, join } from 'node:path'
import { formatWithOptions, inspect, type InspectOptions } from 'node:util'
import { runInThisContext } from 'node:vm'
import ts from 'typescript'
import { compared, type Expectation } from './expectations.js'
import type { CodeModule } from './pages.js'

/** Short enough for one line of a page, however much it is. */
const FORMAT: InspectOptions = { breakLength: Infinity, compact: true, depth: 6 }

/**
 * Run a file of a page as a user would, and compare what it says of its results with what they are. Returns what differs,
 * as `page:line: expected …, got …`. What it opened (services, a local Stripe) is closed.
 *
 * @param lastResultMs How long results in callbacks may take to come, in milliseconds.
 */
export async function runModule(
  entry: CodeModule,
  files: readonly CodeModule[],
  lastResultMs = 5000,
): Promise<string[]> {
  const run = new PageRun(files)
  const environment = { ...process.env }
  // A developer's own database and Stripe account are none of a page's business.
  forget((name) => /^(STRIPE_.*|APP_URL|DATABASE_URL|CREDITS_DATA_DIR|REDIS_URL)$/.test(name))
  try {
    await run.load(entry.path)
    return await run.differences(lastResultMs)
  } catch (error) {
    return [`${entry.page}:${entry.lines[0] ?? 0}: threw ${inspect(error)}`]
  } finally {
    await run.close()
    forget((name) => !(name in environment))
    Object.assign(process.env, environment)
  }
}

function forget(isOne: (variable: string) => boolean): void {
  for (const name of Object.keys(process.env).filter(isOne)) Reflect.deleteProperty(process.env, name)
}

type Exports = Record<string, unknown>

class PageRun {
  readonly #files: ReadonlyMap<string, CodeModule>
  readonly #loaded = new Map<string, Promise<Exports>>()
  readonly #opened: Closable[] = []
  readonly #expectations: Expectation[] = []
  readonly #results = new Map<Expectation, string>()

  constructor(files: readonly CodeModule[]) {
    this.#files = new Map(files.map((file) => [file.path, file]))
  }

  load(path: string): Promise<Exports> {
    const loading = this.#loaded.get(path) ?? this.#run(path)
    this.#loaded.set(path, loading)
    return loading
  }

  /** Waits for results that come late, such as those in callbacks. */
  async differences(lastResultMs: number): Promise<string[]> {
    const deadline = Date.now() + lastResultMs
    while (this.#results.size < this.#expectations.length && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10))
    return this.#expectations.flatMap((expectation) => {
      const { page, line, expected } = expectation
      const got = this.#results.get(expectation)
      if (got !== undefined && isSame(expected, got)) return []
      return [`${page}:${line}: expected ${expected}, got ${got ?? 'nothing: it was never reached'}`]
    })
  }

  async close(): Promise<void> {
    for (const opened of this.#opened.reverse()) await opened.close()
  }

  async #run(path: string): Promise<Exports> {
    const file = this.#files.get(path)
    if (file === undefined) throw new Error(`no block of the page is ${path}`)
    const { code, expectations } = compared(file)
    this.#expectations.push(...expectations)
    const needed = new Map<string, Exports>()
    for (const name of staticImports(code)) needed.set(name, await this.#import(path, name))
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023, esModuleInterop: false },
    })
    const exports: Exports = {}
    // The only names that the code finds beside those of Node: what it imports is given to it.
    // What a script's last expression is, its caller knows.
    const body = runInThisContext(
      `(async function (exports, require, console, __value, __log, __throws) {${outputText}\n})`,
      { filename: path },
    ) as (...given: unknown[]) => Promise<void>
    const note = (index: number, got: string): void => {
      const expectation = expectations[index]
      if (expectation !== undefined) this.#results.set(expectation, got)
    }
    await body(
      exports,
      // `import()` becomes a call of it as well, which may answer later.
      (name: string) => needed.get(name) ?? this.#import(path, name),
      { log: () => undefined, warn: () => undefined, error: () => undefined },
      (index: number, value: unknown) => {
        note(index, inspect(value, FORMAT))
        return value
      },
      (index: number, ...values: unknown[]) => note(index, formatWithOptions(FORMAT, ...values)),
      async (index: number, work: () => unknown) => note(index, await thrownBy(work)),
    )
    return exports
  }

  async #import(importer: string, name: string): Promise<Exports> {
    if (/^[./]/.test(name))
      return this.load(join(name.startsWith('.') ? dirname(importer) : '', name).replace(/(\.js)?$/, '.ts'))
    // Whatever it has: the page says what it wants of it.
    const module = (await import(name)) as Exports
    return this.#closingLater(module)
  }

  /** The same module; what it opens is closed when the page is over. */
  #closingLater(module: Exports): Exports {
    const closing = { ...module }
    for (const name of ['CreditService', 'PGlite']) {
      const made = module[name]
      if (typeof made !== 'function') continue
      const construct = (...given: Parameters<typeof Reflect.construct>): object => {
        const opened: unknown = Reflect.construct(...given)
        return this.#closeLater(opened)
      }
      closing[name] = new Proxy(made, { construct })
    }
    const { fakeStripe } = module
    if (typeof fakeStripe === 'function')
      closing.fakeStripe = async (...given: unknown[]) => {
        const opened: unknown = await Reflect.apply(fakeStripe, undefined, given)
        return this.#closeLater(opened)
      }
    return closing
  }

  #closeLater(opened: unknown): Closable {
    if (!isClosable(opened)) throw new Error('closeLater: this can not be closed')
    this.#opened.push(opened)
    return opened
  }
}

interface Closable {
  close(): unknown
}

function isClosable(value: unknown): value is Closable {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'
}

async function thrownBy(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : null
    return `throws ${code ?? String(error)}`
  }
  return 'no error'
}

/** What a file imports before it begins; types are none of it. */
function staticImports(code: string): string[] {
  const file = ts.createSourceFile('block.ts', code, ts.ScriptTarget.Latest)
  return file.statements.flatMap((statement) => {
    const isImport =
      ts.isImportDeclaration(statement) && statement.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword
    const isExport = ts.isExportDeclaration(statement) && !statement.isTypeOnly
    if (!isImport && !isExport) return []
    const { moduleSpecifier } = statement
    return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier) ? [moduleSpecifier.text] : []
  })
}

/** `…` in what is expected stands for anything. */
function isSame(expected: string, got: string): boolean {
  const parts = expected.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(got)
}
