import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { entityKind } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'

/* Neon's HTTP driver sends one statement per request: no transaction stays open, and no row stays locked. */

/** As Drizzle's database on Neon's HTTP driver looks from outside; the driver itself is nothing the tests have. */
class NeonHttpDatabase {
  static readonly [entityKind] = 'NeonHttpDatabase'
  execute = () => Promise.reject(new Error('nobody may ask it'))
  transaction = () => Promise.reject(new Error('No transactions support in neon-http driver'))
}

/** As the function looks that `neon(url)` makes. */
const neonSql = Object.assign(() => Promise.reject(new Error('nobody may ask it')), {
  query: () => Promise.reject(new Error('nobody may ask it')),
  unsafe: () => ({}),
  transaction: () => Promise.reject(new Error('nobody may ask it')),
})

describe('Neon over HTTP', () => {
  it('is refused when the store is made, with what to use instead', () => {
    const db = new NeonHttpDatabase()
    const refused = /no transactions, and credits need them\. neon-http: use `drizzle-orm\/neon-serverless` with a Pool/
    expect(() => postgresStore(db as never)).toThrow(refused)
    expect(() => postgresStore(db as never)).toThrow(expect.objectContaining({ code: 'STORE_NOT_CONFIGURED' }) as Error)
  })

  it('is refused for migrations, too', async () => {
    await expect((async () => migrate(new NeonHttpDatabase() as never))()).rejects.toThrow('neon-serverless')
  })

  it('is refused without Drizzle, with what can be used', () => {
    expect(() => postgresStore(neonSql as never)).toThrow(/not a database creditkit can use\. Accepted are .*`pg` Pool/)
  })

  it('is known by the name that the installed Drizzle gives it', () => {
    const driver = createRequire(import.meta.url).resolve('drizzle-orm/neon-http/driver')
    expect(readFileSync(driver, 'utf8')).toMatch(/entityKind\] = "NeonHttpDatabase"/)
  })
})
