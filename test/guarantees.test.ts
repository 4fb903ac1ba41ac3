import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const document = readFileSync(`${root}docs/guarantees.md`, 'utf8')

/** Every `file`: "title", "title" of the document's tables. */
const named = [...document.matchAll(/`(test\/[^`]+)`: ((?:"[^"]+"(?:, )?)+)/g)].flatMap(([, file = '', titles = '']) =>
  [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ file, title })),
)

describe('the guarantees', () => {
  it('each name a test', () => {
    const promises = document.split('\n').filter((line) => line.startsWith('| ') && !/^\| (---|we promise)/.test(line))
    expect(promises.length).toBeGreaterThan(20)
    expect(promises.filter((line) => !/`test\/[^`]+`: "/.test(line))).toEqual([])
  })

  it('name only tests that there are', () => {
    expect(named.length).toBeGreaterThan(40)
    const missing = named.filter(({ file, title }) => {
      if (!existsSync(`${root}${file}`)) return true
      // As the title stands in the source: quotes in it may be escaped.
      const source = readFileSync(`${root}${file}`, 'utf8').replaceAll(/\\(['"`])/g, '$1')
      return !source.includes(title)
    })
    expect(missing).toEqual([])
  })
})
