import { describe, expect, it } from 'vitest'
import { anchorsOf, brokenLinks } from './links.js'
import { allPages, type Page, root } from './pages.js'

describe('the links of the documentation', () => {
  it('each lead to a file of the repository and a heading in it', () => {
    const pages = allPages()
    expect(pages.length).toBeGreaterThan(20)
    expect(pages.flatMap((page) => brokenLinks(page, root))).toEqual([])
  })

  it('would not pass when the file or the heading is not there', () => {
    const text = ['# Title', '[a](missing.md) and [b](#title)', '', '[c](ai.md#no-such-heading), [d](#titel)'].join(
      '\n',
    )
    const page: Page = { path: 'docs/wrong.md', text }
    expect(brokenLinks(page, root)).toEqual([
      'docs/wrong.md:2: missing.md',
      'docs/wrong.md:4: ai.md#no-such-heading',
      'docs/wrong.md:4: #titel',
    ])
  })

  it('would not pass out of the repository', () => {
    expect(brokenLinks({ path: 'README.md', text: '[up](../other/README.md)' }, root)).toEqual([
      'README.md:1: ../other/README.md',
    ])
  })

  it('have anchors as GitHub makes them', () => {
    const text = [
      '# Pay & go: `deductCredits`',
      '## What? “Größe” – 100 %',
      '## Again',
      '## Again',
      '```',
      '# no heading',
      '```',
      '### [Linked](x.md) _words_',
    ].join('\n')
    expect([...anchorsOf(text)]).toEqual([
      'pay--go-deductcredits',
      'what-größe--100-',
      'again',
      'again-1',
      'linked-_words_',
    ])
  })
})

describe('the index of the documentation', () => {
  it('names every page', () => {
    const pages = allPages().map(({ path }) => path)
    const index = allPages().find(({ path }) => path === 'docs/README.md')?.text ?? ''
    const missing = pages
      .filter((path) => path.startsWith('docs/') && path !== 'docs/README.md')
      .filter((path) => !path.startsWith('docs/reference/') || path === 'docs/reference/README.md')
      .filter((path) => !index.includes(`](${path.slice('docs/'.length)})`))
    expect(missing).toEqual([])
  })
})
