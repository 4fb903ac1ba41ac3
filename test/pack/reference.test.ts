import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { referencePages } from '../docs/reference.js'
import { root } from './run.js'

/* Here, because it is made from the built declarations: the report of what is public, and what people look things up in. */

const pages = referencePages(root)
const folder = join(root, 'docs/reference')

describe('docs/reference', () => {
  it('has a page per entry point, and the index', () => {
    expect(readdirSync(folder).sort()).toEqual(pages.map(({ file }) => file).sort())
  })

  it.each(pages)('$file says what is public today: `npm run docs` writes it', ({ file, text }) => {
    expect(readFileSync(join(folder, file), 'utf8')).toBe(text)
  })

  it.each(pages)('$file has a doc comment for everything', ({ undocumented }) => {
    expect(undocumented).toEqual([])
  })
})
