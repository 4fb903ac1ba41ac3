import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, with a slash at its end. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A page of documentation. */
export interface Page {
  /** From the repository's folder, such as `docs/ai.md`. */
  path: string
  text: string
}

/** Every page that people read on GitHub or npm. */
export function allPages(): Page[] {
  const folders = ['.github', 'docs'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  )
  const paths = ['README.md', 'CHANGELOG.md', ...folders.filter((path) => path.endsWith('.md')).sort()]
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** Those that people wrote: `npm run docs` makes the others from sources that are tested themselves. */
export function writtenPages(): Page[] {
  return allPages().filter(({ path }) => !path.startsWith('docs/reference/'))
}

/** A fenced block of a page. */
export interface Fence {
  language: string
  code: string
  /** The page's line on which the code begins, from 1. */
  line: number
  /** What HTML comments directly before it say: `runs`, `continues`. */
  marks: string[]
}

export function fencesOf({ text }: Page): Fence[] {
  const lines = text.split('\n')
  const fences: Fence[] = []
  for (let at = 0; at < lines.length; at += 1) {
    const [, indent = '', ticks, language = ''] = /^( *)(`{3,})(\S*)/.exec(lines[at] ?? '') ?? []
    if (ticks === undefined) continue
    const end = lines.findIndex((line, other) => other > at && line.trim() === ticks)
    if (end === -1) throw new Error(`a block is never closed: line ${at + 1}`)
    const code = lines.slice(at + 1, end).map((line) => line.slice(indent.length))
    fences.push({ language, code: code.join('\n'), line: at + 2, marks: marksBefore(lines, at) })
    at = end
  }
  return fences
}

/** Comments in the lines before a fence, with at most empty lines between. */
function marksBefore(lines: readonly string[], fence: number): string[] {
  const marks: string[] = []
  for (let at = fence - 1; at >= 0; at -= 1) {
    const line = lines[at]?.trim() ?? ''
    const comment = /^<!-- (.+) -->$/.exec(line)?.[1]
    if (comment !== undefined) marks.push(comment)
    else if (line !== '') break
  }
  return marks
}

/** TypeScript of a page, as one file. */
export interface CodeModule {
  page: string
  /** Where the file would be: the blocks of one page are in one folder. */
  path: string
  code: string
  /** By line of `code`, from 0: the line of the page, from 1. */
  lines: number[]
  /** It is to be run, and what it says of its results is to be so. */
  runs: boolean
}

/** A page's blocks of TypeScript as files; `test/docs/code-blocks.test.ts` says by which rules. */
export function modulesOf(page: Page): CodeModule[] {
  const folder = folderOf(page.path)
  const modules: CodeModule[] = []
  for (const fence of fencesOf(page)) {
    if (fence.language !== 'ts' && fence.language !== 'tsx') continue
    const [before] = modules.slice(-1)
    const unknown = fence.marks.find((mark) => mark !== 'runs' && mark !== 'continues')
    if (unknown !== undefined)
      throw new Error(`${page.path}:${fence.line}: <!-- ${unknown} --> says nothing of a block`)
    if (fence.marks.includes('continues')) {
      if (before === undefined) throw new Error(`${page.path}:${fence.line}: there is nothing to continue`)
      before.code += `\n${fence.code}`
      before.lines.push(...linesFrom(fence.code, fence.line))
      continue
    }
    let line = fence.line
    for (const code of filesIn(fence.code)) {
      const name = /^\/\/ ([\w./[\]-]+\.tsx?)\b/.exec(code)?.[1] ?? `line-${line}.${fence.language}`
      modules.push({
        page: page.path,
        path: join(folder, name),
        // A host's own alias, as Next has it.
        code: code.replaceAll(/from '@\//g, `from '${folder}/`),
        lines: linesFrom(code, line),
        runs: fence.marks.includes('runs'),
      })
      line += code.split('\n').length
    }
  }
  return modules
}

/** Where the files of a page would be. */
export function folderOf(page: string): string {
  return join(root, 'test/docs/of', dirname(page), page.replace(/^.*\/|\.md$/g, ''))
}

/** A comment and an import after an empty line begin another file. */
function filesIn(code: string): string[] {
  return code.split(/\n(?=\n\/\/[^\n]*\nimport )/).map((file, index) => (index === 0 ? file : file.slice(1)))
}

function linesFrom(code: string, first: number): number[] {
  return code.split('\n').map((_, index) => first + index)
}
