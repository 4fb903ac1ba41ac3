import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Page } from './pages.js'

/** Links of a page that lead nowhere, as `page:line: link`. Addresses on the web are not asked. */
export function brokenLinks(page: Page, root: string): string[] {
  return linksOf(page)
    .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .filter(({ target }) => !leadsSomewhere(target, page, root))
    .map(({ target, line }) => `${page.path}:${line}: ${target}`)
}

interface Link {
  target: string
  line: number
}

function linksOf({ text }: Page): Link[] {
  return proseOf(text).flatMap((prose, index) => {
    const inline = [...prose.matchAll(/\]\(\s*<?([^()\s>]+(?:\([^()\s]*\)[^()\s>]*)*)>?(?:\s+"[^"]*")?\s*\)/g)]
    const named = [...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)/g)]
    const tags = [...prose.matchAll(/\b(?:href|src)="([^"]+)"/g)]
    return [...inline, ...named, ...tags].map(([, target = '']) => ({ target, line: index + 1 }))
  })
}

function leadsSomewhere(target: string, page: Page, root: string): boolean {
  const [path = '', anchor] = target.split('#')
  if (path === '') return anchor !== undefined && anchorsOf(page.text).has(decodeURIComponent(anchor))
  const file = join(dirname(page.path), decodeURIComponent(path))
  // Nothing outside of the repository is there for its readers.
  if (file.startsWith('..') || !existsSync(join(root, file))) return false
  if (anchor === undefined || !file.endsWith('.md')) return true
  return anchorsOf(readFileSync(join(root, file), 'utf8')).has(decodeURIComponent(anchor))
}

/** The anchors that GitHub gives a page's headings. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  const times = new Map<string, number>()
  for (const line of proseOf(text, true)) {
    const own = /<a (?:id|name)="([^"]+)"/.exec(line)?.[1]
    if (own !== undefined) anchors.add(own)
    const heading = /^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const slug = slugOf(heading)
    const before = times.get(slug) ?? 0
    times.set(slug, before + 1)
    anchors.add(before === 0 ? slug : `${slug}-${before}`)
  }
  return anchors
}

/** Letters of any script, digits, `_` and `-` stay; spaces become `-`. Of links, their text counts. */
function slugOf(heading: string): string {
  return heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/<[^>]+>/g, '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** The lines of a page; those of code are empty. `keepsSpans`: code within a line stays, as headings have it. */
function proseOf(text: string, keepsSpans = false): string[] {
  let fence: string | null = null
  return text.split('\n').map((line) => {
    const ticks = /^ *(`{3,})/.exec(line)?.[1]
    if (fence === null && ticks !== undefined) fence = ticks
    else if (fence !== null && ticks === fence) fence = null
    else if (fence === null) return keepsSpans ? line : line.replaceAll(/(`+)(?!`).+?\1/g, '``')
    return ''
  })
}
