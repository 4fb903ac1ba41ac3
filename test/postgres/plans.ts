import pg from 'pg'
import type { SqlExecutor, SqlRow, SqlValue } from '../../adapters/postgres/sql-database.js'

/** One place where a statement reads a table. */
export interface Scan {
  kind: string
  relation: string
  index: string | null
  /** Rows that were read, also those that a filter threw away. */
  rows: number
  removed: number
}

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  Plans?: PlanNode[]
}

/** Postgres may plan a prepared statement for all values once it has planned it so often for the ones it was given. */
const CUSTOM_PLANS = 5

/**
 * Runs every statement, and says by which indexes it read how many rows. As drivers run it: prepared, for the first time or
 * (`again`) after it has been run so often that Postgres may plan it once for all values.
 */
export class Plans implements SqlExecutor {
  readonly scans: Scan[] = []
  statements = 0
  readonly #pool: pg.Pool
  readonly #again: boolean

  constructor(pool: pg.Pool, { again = false }: { again?: boolean } = {}) {
    this.#pool = pool
    this.#again = again
  }

  async query(text: string, values: readonly SqlValue[]): Promise<SqlRow[]> {
    this.statements += 1
    const types = values.length === 0 ? '' : ` (${values.map(() => 'text').join(', ')})`
    const given = values.map((value) => (value === null ? 'null' : pg.escapeLiteral(value))).join(', ')
    const client = await this.#pool.connect()
    try {
      await client.query(`begin; prepare planned${types} as ${text}`)
      const execute = `execute planned${values.length === 0 ? '' : `(${given})`}`
      for (let times = this.#again ? CUSTOM_PLANS : 0; times > 0; times -= 1) await client.query(`explain ${execute}`)
      const explained = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
        `explain (analyze, format json) ${execute}`,
      )
      // What it has written is written below.
      await client.query('rollback; deallocate planned')
      for (const { Plan } of explained.rows[0]?.['QUERY PLAN'] ?? []) this.#visit(Plan)
      const { rows } = await client.query<SqlRow>(text, [...values])
      return rows
    } finally {
      client.release()
    }
  }

  #visit(node: PlanNode): void {
    const { 'Node Type': kind, 'Relation Name': relation, 'Index Name': index, Plans: children = [] } = node
    const filtered = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
    const [rows, removed] = [node['Actual Rows'], filtered].map((each) => each * node['Actual Loops'])
    if (node['Actual Loops'] > 0 && (relation !== undefined || index !== undefined) && !kind.startsWith('Modify'))
      this.scans.push({
        kind,
        relation: relation ?? '',
        index: index ?? null,
        rows: (rows ?? 0) + (removed ?? 0),
        removed: removed ?? 0,
      })
    for (const child of children) this.#visit(child)
  }

  /** Rows that were read, by whichever way. */
  get rows(): number {
    return this.scans.reduce((sum, { rows }) => sum + rows, 0)
  }

  /** Rows that were read for nothing. */
  get removed(): number {
    return this.scans.reduce((sum, each) => sum + each.removed, 0)
  }

  get indexes(): (string | null)[] {
    return this.scans.map(({ index }) => index)
  }

  /** Tables that were read from end to end. */
  get wholeTables(): string[] {
    return this.scans.filter(({ kind }) => kind.includes('Seq Scan')).map(({ relation }) => relation)
  }
}
