import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { inject } from 'vitest'
import { root, run } from './run.js'

export interface Folder {
  path: string
  /** Write a file, with the folders it is in. */
  write(file: string, text: string): void
  remove(): void
}

/** A folder outside of the repository, so that nothing is found in our own node_modules. */
export function freshFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'creditkit-pack-'))
  return {
    path,
    write: (file, text) => {
      mkdirSync(dirname(join(path, file)), { recursive: true })
      writeFileSync(join(path, file), text)
    },
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** A project of its own with the tarball and other packages installed. */
export async function installedFolder(dependencies: Record<string, string> = {}): Promise<Folder> {
  const folder = freshFolder()
  folder.write('package.json', manifest({ type: 'module', dependencies }))
  await install(folder)
  return folder
}

/** A copy of `examples/{name}` with its dependencies and the tarball installed. */
export async function installedExample(name: string): Promise<Folder> {
  const folder = freshFolder()
  const leftBehind = new Set(['node_modules', '.next', '.data', 'package-lock.json'])
  cpSync(join(root, 'examples', name), folder.path, {
    recursive: true,
    filter: (source) => !leftBehind.has(basename(source)),
  })
  const example = JSON.parse(readFileSync(join(folder.path, 'package.json'), 'utf8')) as Manifest
  folder.write('package.json', manifest(example))
  await install(folder)
  return folder
}

interface Manifest {
  dependencies: Record<string, string>
  [field: string]: unknown
}

function manifest(given: Manifest): string {
  const dependencies = { ...given.dependencies, creditkit: `file:${inject('tarball')}` }
  return JSON.stringify({ private: true, ...given, dependencies }, null, 2)
}

async function install(folder: Folder): Promise<void> {
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder.path })
}
