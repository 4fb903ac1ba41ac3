import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { inject } from 'vitest'

export interface TestDatabase {
  /** Connection string of an empty database that nobody else knows. */
  url: string
  /** Drop it, also under open connections. */
  drop(): Promise<void>
}

/** A fresh, empty database on the run's PostgreSQL server. About 40 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `creditkit_test_${randomBytes(8).toString('hex')}`
  await withServer((client) => client.query(`create database ${name}`))
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  return { url: url.href, drop: () => dropDatabase(name) }
}

/** So long may sessions take that are just ending: cut off, they would tell a client that nobody listens to any more. */
const LEAVING_MS = 1_000

async function dropDatabase(name: string): Promise<void> {
  await withServer(async (client) => {
    const until = Date.now() + LEAVING_MS
    while (Date.now() < until) {
      const { rowCount } = await client.query('select from pg_stat_activity where datname = $1', [name])
      if (rowCount === 0) break
      await pause(5)
    }
    await client.query(`drop database if exists ${name} with (force)`)
  })
}

async function withServer(work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
