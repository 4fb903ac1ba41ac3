import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { root, run } from './run.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The package as it would be published. */
    tarball: string
  }
}

/** What `npm run build` reads. */
const SOURCES = [
  'src',
  'adapters',
  'test/conformance',
  'package.json',
  'tsconfig.json',
  'tsup.config.ts',
  '.config/declarations.ts',
]

/** Build where the sources are newer than the build, and pack once for all tests. */
export default async function packOnce(project: TestProject): Promise<() => void> {
  if (isStale()) await run('npm', ['run', 'build'], { cwd: root })
  const folder = mkdtempSync(join(tmpdir(), 'creditkit-tarball-'))
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: root })
  const [file] = readdirSync(folder)
  if (file === undefined) throw new Error('npm pack left no file')
  project.provide('tarball', join(folder, file))
  return () => rmSync(folder, { recursive: true, force: true })
}

function isStale(): boolean {
  // The build writes the declarations last, this one among them.
  const builtFile = join(root, 'dist/types/src/index.d.ts')
  const built = existsSync(builtFile) ? statSync(builtFile).mtimeMs : 0
  return SOURCES.flatMap((source) => filesOf(join(root, source))).some((file) => statSync(file).mtimeMs > built)
}

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  const entries = readdirSync(path, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
