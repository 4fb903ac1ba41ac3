import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { llmsText } from './llms.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('docs/llms.txt', () => {
  it('lists every page as it is today: `npm run docs` writes it', () => {
    expect(readFileSync(`${root}docs/llms.txt`, 'utf8')).toBe(llmsText(root))
  })

  it('says of each page what it is about', () => {
    const links = llmsText(root).match(/^- .+$/gm) ?? []
    expect(links.length).toBeGreaterThan(20)
    const mute = links.filter((line) => !line.includes('](reference/') && !/\): \S.+[.!?]$/.test(line))
    expect(mute).toEqual([])
  })
})
