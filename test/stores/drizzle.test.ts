import { testCreditStore } from '../conformance/index.js'
import { hidingTheClient, openStoreOn, viaDrizzleOnPool } from './real-databases.js'

// A Drizzle whose client we know is used by that client: those are in test/long, and in host-tables.test.ts.
testCreditStore('postgresStore on any Drizzle, here of node-postgres', () =>
  openStoreOn(hidingTheClient(viaDrizzleOnPool)),
)
