import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Of Next, which is not installed here, what generated files name. */
const NEXT = `declare module 'next' {
  export interface NextConfig { serverExternalPackages?: string[] }
}
`

/** What the compiler says about code of one language that nobody has written to disk, as `path: message`. */
export function problemsOf(language: 'ts' | 'js', files: Readonly<Record<string, string>>): string[] {
  const folder = join(root, 'test/cli/generated')
  const code = Object.entries(files).filter(([path]) => path.endsWith(language))
  const sources = new Map(code.map(([path, text]) => [join(folder, path), text]))
  const paths = [...sources.keys()]
  const program = createProgram(language, sources.set(join(folder, 'next.d.ts'), NEXT))
  return paths.flatMap((path) => {
    const file = program.getSourceFile(path)
    if (file === undefined) throw new Error(`problemsOf: the program lacks ${path}`)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText }) => `${relative(folder, path)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
  })
}

function createProgram(language: 'ts' | 'js', sources: ReadonlyMap<string, string>): ts.Program {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path))
  const parsed = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  // JavaScript has no types of parameters, and is checked all the same.
  const ofScripts = language === 'js' ? { allowJs: true, checkJs: true, noImplicitAny: false } : {}
  const options = { ...parsed.options, ...ofScripts }
  const host = ts.createCompilerHost(options)
  const disk = ts.createCompilerHost(options)
  const folders = new Set([...sources.keys()].flatMap(foldersAbove))
  host.fileExists = (path) => sources.has(path) || disk.fileExists(path)
  host.directoryExists = (path) => folders.has(path) || disk.directoryExists?.(path) === true
  host.getSourceFile = (path, ...rest) => {
    const text = sources.get(path)
    return text === undefined ? disk.getSourceFile(path, ...rest) : ts.createSourceFile(path, text, rest[0])
  }
  return ts.createProgram([...sources.keys()], options, host)
}

function foldersAbove(path: string): string[] {
  const folder = dirname(path)
  return folder.length < root.length ? [] : [folder, ...foldersAbove(folder)]
}
