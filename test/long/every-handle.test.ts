import { testCreditStore } from '../conformance/index.js'
import {
  hidingTheClient,
  openStoreOn,
  viaConnectionString,
  viaDrizzleOnPGlite,
  viaDrizzleOnPool,
  viaDrizzleOnPostgresJs,
} from '../stores/real-databases.js'

// Other ways to reach a database by the drivers that `npm test` takes one at a time (test/stores).
testCreditStore('postgresStore on a connection string', () => openStoreOn(viaConnectionString))
testCreditStore('postgresStore on Drizzle on node-postgres', () => openStoreOn(viaDrizzleOnPool))
testCreditStore('postgresStore on Drizzle on postgres.js', () => openStoreOn(viaDrizzleOnPostgresJs))
testCreditStore('postgresStore on Drizzle on PGlite', () => openStoreOn(viaDrizzleOnPGlite))
testCreditStore('postgresStore on any Drizzle, here of PGlite', () => openStoreOn(hidingTheClient(viaDrizzleOnPGlite)))
