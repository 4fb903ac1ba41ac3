import { testCreditStore } from '../conformance/index.js'
import {
  hidingTheClient,
  openStoreOn,
  viaConnectionString,
  viaDrizzleOnPGlite,
  viaDrizzleOnPool,
  viaDrizzleOnPostgresJs,
  viaPool,
  viaPostgresJs,
} from '../stores/real-databases.js'

// Each way to reach a database by itself: `npm test` takes them two by two with other choices (test/stores).
testCreditStore('postgresStore on a connection string', () => openStoreOn(viaConnectionString))
testCreditStore('postgresStore on Drizzle on node-postgres', () => openStoreOn(viaDrizzleOnPool))
testCreditStore('postgresStore on Drizzle on postgres.js', () => openStoreOn(viaDrizzleOnPostgresJs))
testCreditStore('postgresStore on Drizzle on PGlite', () => openStoreOn(viaDrizzleOnPGlite))
testCreditStore('postgresStore on any Drizzle, here of PGlite', () => openStoreOn(hidingTheClient(viaDrizzleOnPGlite)))
testCreditStore('postgresStore on any Drizzle, here of node-postgres', () =>
  openStoreOn(hidingTheClient(viaDrizzleOnPool)),
)
testCreditStore('postgresStore on postgres.js', () => openStoreOn(viaPostgresJs))
testCreditStore('postgresStore on a pg Pool, on a ledger in partitions', () => openStoreOn(viaPool, { partitions: 5 }))
