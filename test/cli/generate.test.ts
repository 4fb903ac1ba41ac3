import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import { createJiti } from 'jiti'
import { describe, expect, it } from 'vitest'
import { postgresStore } from '../../adapters/postgres/index.js'
import { TABLE_NAMES } from '../../adapters/postgres/sql-tables.js'
import type { AnyCreditTables } from '../../adapters/postgres/tables.js'
import { sourceAlias } from '../../.config/vitest.config.js'
import { commandLine, json } from './command-line.js'

/** What the generated file exports, with this repository's sources as the package `creditkit`. */
async function exportsOf(cwd: string, file: string): Promise<Record<string, unknown>> {
  const [creditkit] = sourceAlias.filter(({ find }) => find.test('creditkit/adapters/postgres'))
  const target = (creditkit?.replacement ?? '').replace('$1', 'postgres')
  const drizzle = createJiti(import.meta.url)
    .esmResolve('drizzle-orm/pg-core')
    .replace('file://', '')
  const alias = { 'creditkit/adapters/postgres': target, 'drizzle-orm/pg-core': drizzle }
  const jiti = createJiti(import.meta.url, { alias, moduleCache: false })
  return jiti.import(join(cwd, file))
}

describe('generate', () => {
  it('writes a file that exports every table, says what to do next, and leaves a file alone that is there', async () => {
    const { creditkit, cwd } = commandLine()
    const first = await creditkit('generate')
    expect(first.code).toBe(0)
    expect(first.stdout).toMatch(
      /^Wrote credit-schema\.ts\. Next:\n +1\. .*drizzle\.config\.ts\n +2\. npx drizzle-kit generate/,
    )
    const text = readFileSync(join(cwd, 'credit-schema.ts'), 'utf8')
    expect(text).toContain(`import { creditTables } from 'creditkit/adapters/postgres'`)

    writeFileSync(join(cwd, 'credit-schema.ts'), '// mine')
    const second = await creditkit('generate', '--json')
    expect(second.code).toBe(1)
    expect(json(second)).toEqual({ written: [], left: ['credit-schema.ts'] })
    expect((await creditkit('generate')).stdout).toContain('is there already, and was left as it is')
    expect(readFileSync(join(cwd, 'credit-schema.ts'), 'utf8')).toBe('// mine')
  })

  it.each([
    [[], undefined, '', 'text'],
    [['--schema', 'billing', '--prefix', 'my_', '--user-id', 'integer'], 'billing', 'my_', 'integer'],
    [['--user-id', 'bigint'], undefined, '', 'bigint'],
    [['--user-id', 'uuid', '--schema', 'money'], 'money', '', 'uuid'],
  ] as const)('with %j makes tables that the store takes', async (options, schema, prefix, userIdType) => {
    const { creditkit, cwd } = commandLine()
    expect(await creditkit('generate', '--out', 'tables.ts', ...options)).toMatchObject({ code: 0 })
    const { tables, ...exported } = await exportsOf(cwd, 'tables.ts')
    const found = Object.values(exported).flatMap((table) => (is(table, PgTable) ? [getTableConfig(table)] : []))
    // Without the view.
    const names = Object.values(TABLE_NAMES).filter((name) => name !== 'credit_open_grants')
    expect(found.map(({ name }) => name).sort()).toEqual(names.map((name) => `${prefix}${name}`).sort())
    expect(new Set(found.map((table) => table.schema))).toEqual(new Set([schema]))
    // As the file's own types say.
    const store = postgresStore('postgres://127.0.0.1:1/none', { tables: tables as AnyCreditTables })
    expect(store.userIdType).toBe(userIdType)
    await store.close()
  })

  it('goes where the host keeps its schema', async () => {
    const { creditkit, cwd } = commandLine()
    mkdirSync(join(cwd, 'src/db'), { recursive: true })
    expect(json(await creditkit('generate', '--json'))).toEqual({
      written: [join('src/db/credit-schema.ts')],
      left: [],
    })
  })

  it('takes no name that SQL does not, and no other type of ids', async () => {
    const { creditkit } = commandLine()
    for (const args of [
      ['--prefix', `x'); drop`],
      ['--schema', '1st'],
      ['--user-id', 'float'],
    ])
      expect(await creditkit('generate', ...args)).toMatchObject({ code: 2, stdout: '' })
  })
})
