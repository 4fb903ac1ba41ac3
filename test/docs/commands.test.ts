import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../adapters/cli/program.js'
import { fencesOf, root, writtenPages } from './pages.js'

const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> }

/** What pages show as commands: code within lines, and the lines of blocks for the shell. */
const shown = writtenPages().flatMap((page) => {
  const lines = fencesOf(page).flatMap(({ language, code }) => (language === 'bash' ? code.split('\n') : []))
  const spans = [...page.text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
  return [...lines, ...spans]
})

/** Every match of a pattern in what is shown, each once. */
function quoted(pattern: RegExp): string[] {
  const found = shown.flatMap((text) => [...text.matchAll(pattern)].map(([, command = '']) => command.trim()))
  return [...new Set(found)].sort()
}

/** What the command line says of a command; null: it knows none of this name, and tells of all. */
async function helpOf(words: readonly string[]): Promise<string | null> {
  let text = ''
  await runCommand([...words, '--help'], {
    cwd: root,
    isColourful: false,
    isInteractive: false,
    out: async (more) => {
      text += more
    },
    err: () => undefined,
    ask: async () => '',
  })
  return text.startsWith(`Usage: creditkit ${words.join(' ')} `) ? text : null
}

/** The words and the long options of a quoted command line of ours that are not known. */
async function unknownIn(line: string): Promise<string[]> {
  const [command = ''] = line.split(/ [#|&>]/)
  const words = command.split(/\s+/)
  const isGroup = (await helpOf(words.slice(0, 1)))?.includes('\nCommands:') === true
  const name = words.slice(0, isGroup ? 2 : 1)
  const help = await helpOf(name)
  if (help === null) return [name.join(' ')]
  const options = words.flatMap((word) => /^(--[a-z][a-z-]*)/.exec(word)?.[1] ?? [])
  return options.filter((option) => !help.includes(`${option} `)).map((option) => [...name, option].join(' '))
}

describe('commands that the documentation names', () => {
  it('are scripts of this repository', () => {
    const scripts = quoted(/\bnpm run ([\w:-]+)/g)
    expect(scripts.length).toBeGreaterThan(5)
    expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([])
  })

  it('are commands of `creditkit`, with options that it knows', async () => {
    const lines = quoted(/(?:^|&& |\bnpx )\s*creditkit ([a-z].*)/g)
    expect(lines.length).toBeGreaterThan(3)
    const unknown = await Promise.all(
      lines.map(async (line) => (await unknownIn(line)).map((what) => `${what} (${line})`)),
    )
    expect(unknown.flat()).toEqual([])
  })

  it('would not pass with a command or an option that is none', async () => {
    expect(await unknownIn('proove --seconds 3')).toEqual(['proove'])
    expect(await unknownIn('prove --minutes 3')).toEqual(['prove --minutes'])
    expect(await unknownIn('export nothing')).toEqual(['export nothing'])
  })
})
