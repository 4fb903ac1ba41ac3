import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Write the declarations of these sources, and of what their declarations import, to `dist/types`, file by file. tsup's own
 * way rolls them up by a second compiler, which takes four times as long and five gigabytes.
 *
 * @throws {Error} With the compiler's message, when something can't be declared.
 */
export function writeDeclarations(sources: readonly string[]): void {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(message([diagnostic]))
    },
  })
  const outDir = join(root, 'dist/types')
  const options = {
    ...config?.options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: root,
    outDir,
  }
  const program = ts.createProgram(
    sources.map((source) => join(root, source)),
    options,
  )
  const written = new Map<string, string>()
  const { diagnostics } = program.emit(undefined, (path, text) => void written.set(path, text))
  if (diagnostics.length > 0) throw new Error(message(diagnostics))

  rmSync(outDir, { recursive: true, force: true })
  for (const path of reachable(
    sources.map((source) => join(outDir, declarationOf(source))),
    written,
  )) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, written.get(path) ?? '')
  }
}

/** Where a source's declarations are, from `dist/types`. */
export function declarationOf(source: string): string {
  return source.replace(/\.tsx?$/, '.d.ts')
}

/** Those that users can come to: most of what is written declares only what we ask of ourselves. */
function reachable(from: readonly string[], written: ReadonlyMap<string, string>): Set<string> {
  const found = new Set<string>()
  const queue = [...from]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const text = written.get(path)
    if (text === undefined) throw new Error(`no declarations were written for ${relative(root, path)}`)
    if (found.has(path)) continue
    found.add(path)
    const { importedFiles } = ts.preProcessFile(text, true, true)
    for (const { fileName } of importedFiles) {
      if (fileName.startsWith('.')) queue.push(join(dirname(path), fileName.replace(/\.js$/, '.d.ts')))
    }
  }
  return found
}

function message(diagnostics: readonly ts.Diagnostic[]): string {
  return ts.formatDiagnostics(diagnostics, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  })
}
