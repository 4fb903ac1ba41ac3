import { dirname, join } from 'node:path'
import ts from 'typescript'
import { HOST, HOST_FILES, PACKAGES } from './host.js'
import { type CodeModule, folderOf, root } from './pages.js'

/** What the compiler says about code of the pages, as `page:line: message`. One program for all of it: it is quick. */
export function problemsOf(modules: readonly CodeModule[]): string[] {
  const sources = new Map(modules.map(({ path, code }) => [path, `${code}\nexport {}\n`]))
  if (sources.size < modules.length) return duplicates(modules)
  const hostPath = join(root, 'test/docs/of/host.ts')
  const packagesPath = join(root, 'test/docs/of/packages.d.ts')
  sources.set(hostPath, HOST).set(packagesPath, PACKAGES)
  // A page that does not show a host's own file gets a plain one.
  for (const folder of new Set(modules.map(({ page }) => folderOf(page))))
    for (const [name, code] of Object.entries(HOST_FILES)) {
      const path = join(folder, name)
      if (!sources.has(path)) sources.set(path, code)
    }
  const program = createProgram(sources)
  const own = modules.flatMap((module) =>
    diagnosticsOf(program, module.path).map(({ start, message, code }) => {
      const line = module.lines[code.slice(0, start).split('\n').length - 1] ?? module.lines.at(-1) ?? 0
      return `${module.page}:${line}: ${message}`
    }),
  )
  const ofHost = [hostPath, packagesPath].flatMap((path) =>
    diagnosticsOf(program, path).map(
      ({ start, message, code }) => `host: ${code.slice(start, start + 40)}: ${message}`,
    ),
  )
  return [...own, ...ofHost]
}

function duplicates(modules: readonly CodeModule[]): string[] {
  const paths = modules.map(({ path }) => path)
  return paths.filter((path, index) => paths.indexOf(path) < index).map((path) => `${path}: two blocks are this file`)
}

function createProgram(sources: ReadonlyMap<string, string>): ts.Program {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path))
  const parsed = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const options = { ...parsed.options, noUnusedLocals: false, noUnusedParameters: false }
  const host = ts.createCompilerHost(options)
  const disk = ts.createCompilerHost(options)
  const folders = new Set([...sources.keys()].flatMap(foldersAbove))
  host.fileExists = (path) => sources.has(path) || disk.fileExists(path)
  host.directoryExists = (path) => folders.has(path) || disk.directoryExists?.(path) === true
  host.getSourceFile = (path, ...rest) => {
    const code = sources.get(path)
    return code === undefined ? disk.getSourceFile(path, ...rest) : ts.createSourceFile(path, code, rest[0])
  }
  return ts.createProgram([...sources.keys()], options, host)
}

function foldersAbove(path: string): string[] {
  const folder = dirname(path)
  return folder.length < root.length ? [] : [folder, ...foldersAbove(folder)]
}

function diagnosticsOf(program: ts.Program, path: string): { start: number; message: string; code: string }[] {
  const file = program.getSourceFile(path)
  if (file === undefined) throw new Error(`problemsOf: the program lacks ${path}`)
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
    ({ start = 0, messageText }) => ({
      start,
      message: ts.flattenDiagnosticMessageText(messageText, ' '),
      code: file.text,
    }),
  )
}
