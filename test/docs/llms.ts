import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/* docs/llms.txt (https://llmstxt.org): every page of docs/ with what it begins with, for language models. */

const SECTIONS: readonly (readonly [title: string, folder: string])[] = [
  ['Quick start', 'quick-start'],
  ['Guides', '.'],
  ['Recipes', 'recipes'],
  ['API reference', 'reference'],
]

/** `root`: the repository's folder. */
export function llmsText(root: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { description: string }
  const parts = SECTIONS.map(([title, folder]) => `## ${title}\n\n${pagesIn(root, folder).join('\n')}`)
  return [`# creditkit`, `> ${manifest.description}`, AT_ONCE, ...parts].join('\n\n') + '\n'
}

const AT_ONCE =
  'An npm package (Node 20.19 or newer, TypeScript, ESM). `npx creditkit init` writes what a project needs; the [README](../README.md) is the tour, the types in `node_modules/creditkit/dist` are the last word.'

function pagesIn(root: string, folder: string): string[] {
  const path = join(root, 'docs', folder)
  const names = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.md')) : []
  return names.sort().map((name) => {
    const text = readFileSync(join(path, name), 'utf8').replaceAll(/<!--[\s\S]*?-->\n*/g, '')
    const title = /^# (.+)$/m.exec(text)?.[1] ?? name
    const address = folder === '.' ? name : `${folder}/${name}`
    const about = firstSentence(text)
    return `- [${title.replaceAll('`', '')}](${address})${about === '' ? '' : `: ${about}`}`
  })
}

/** Of the first paragraph that is prose. */
function firstSentence(text: string): string {
  const prose = text.split(/\n{2,}/).find((paragraph) => /^[\p{L}`*[]/u.test(paragraph)) ?? ''
  const plain = prose
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return /^.+?[.:](?=\s|$)/.exec(plain)?.[0].replace(/:$/, '.') ?? plain
}
