import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { MUTANTS, plant } from './mutants.js'

/* That each can still be planted. Whether it is caught, `npm run test:mutants` shows. */

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('the planted bugs', () => {
  it('are many, each with a name of its own', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(40)
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
  })

  it.each(MUTANTS)('“$name” can be planted in one place, and the file can still be read', (mutant) => {
    const source = readFileSync(`${root}${mutant.file}`, 'utf8')
    expect(source.split(mutant.find)).toHaveLength(2)
    const planted = plant(source, mutant)
    expect(planted).not.toBe(source)
    const { diagnostics = [] } = ts.transpileModule(planted, { reportDiagnostics: true })
    expect(diagnostics.map(({ messageText }) => messageText)).toEqual([])
    expect(mutant.tests.filter((path) => !existsSync(`${root}${path}`))).toEqual([])
  })
})
