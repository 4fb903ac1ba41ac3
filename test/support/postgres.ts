import { randomBytes } from 'node:crypto'
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
  await onServer(`create database ${name}`)
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  return { url: url.href, drop: () => onServer(`drop database if exists ${name} with (force)`) }
}

async function onServer(statement: string): Promise<void> {
  const client = new Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
