import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface WrittenFiles {
  written: string[]
  /** They were there; nothing in them was changed. */
  left: string[]
}

/** Write files that are not there. One that is stays as it is, also when it appears at this very moment. */
export function writeNewFiles(cwd: string, files: Readonly<Record<string, string>>): WrittenFiles {
  const result: WrittenFiles = { written: [], left: [] }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true })
    try {
      writeFileSync(join(cwd, path), text, { flag: 'wx' })
      result.written.push(path)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      result.left.push(path)
    }
  }
  return result
}
