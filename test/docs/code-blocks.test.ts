import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { problemsOf } from './compile.js'
import { fencesOf, modulesOf, type Page, root, writtenPages } from './pages.js'

/*
 * For authors of pages:
 *
 * - A ```ts or ```tsx block is a file of its own. It imports what it uses, as a user would.
 * - What any host has around it (`credits`, `userId`, `db`, `app`, …) need not be declared: host.ts lists the names.
 * - <!-- continues --> on a line before a block: it goes on in the file of the block before.
 * - A block that begins with a comment such as // lib/credits.ts is that file; other blocks of the page import it by
 *   './lib/credits.js' or '@/lib/credits'.
 * - Within a block, an empty line, a comment and an import begin another file.
 * - <!-- runs --> before a block: it is also run, see runnable.test.ts.
 */

const pages = writtenPages()
const modules = pages.flatMap(modulesOf)

const WRONG: Page = {
  path: 'docs/wrong.md',
  text: ['# Wrong', '', '```ts', 'await credits.deductCredit({ userId, amount: 1 })', '```'].join('\n'),
}

/** What a block may be in; `ts` and `tsx` are compiled. A spelling such as `typescript` would slip through. */
const LANGUAGES = ['ts', 'tsx', 'bash', 'sql', 'json', 'http', 'text', 'yaml', 'diff']

describe('the code of the documentation', () => {
  // One program for all of it, the negative control too: it takes some seconds to make.
  let problems: string[]
  beforeAll(() => {
    problems = problemsOf([...modules, ...modulesOf(WRONG)])
  }, 120_000)

  it('is only shown where it compiles', () => {
    expect(modules.length).toBeGreaterThan(35)
    expect(problems.filter((problem) => !problem.startsWith(WRONG.path))).toEqual([])
  })

  it('would not pass with a name that is none', () => {
    expect(problems.filter((problem) => problem.startsWith(WRONG.path))).toEqual([
      expect.stringMatching(/^docs\/wrong\.md:4: .*deductCredit/),
    ])
  })

  it('names a language that is looked at', () => {
    const unknown = pages.flatMap((page) =>
      fencesOf(page)
        .filter(({ language }) => !LANGUAGES.includes(language))
        .map(({ language, line }) => `${page.path}:${line}: \`\`\`${language}`),
    )
    expect(unknown).toEqual([])
  })

  it('says of no result what is never compared', () => {
    const unrun = modules
      .filter(({ runs, code }) => !runs && code.includes('// →'))
      .map(({ page, lines }) => `${page}:${lines[0] ?? 0}`)
    expect(unrun).toEqual([])
  })
})

describe('the README', () => {
  it('lists every error code', () => {
    const readme = readFileSync(`${root}README.md`, 'utf8')
    const codes = readFileSync(`${root}src/errors.ts`, 'utf8').matchAll(/^ {2}([A-Z_]+): \{ httpStatus/gm)
    for (const [, code] of codes) expect(readme, code).toContain(`\`${code ?? ''}\``)
  })
})
