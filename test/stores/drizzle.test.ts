import { testCreditStore } from '../conformance/index.js'
import { hidingTheClient, openStoreOn, viaDrizzleOnPGlite, viaDrizzleOnPool } from './real-databases.js'

testCreditStore('postgresStore on Drizzle on node-postgres', () => openStoreOn(viaDrizzleOnPool))
testCreditStore('postgresStore on any Drizzle, here of node-postgres', () =>
  openStoreOn(hidingTheClient(viaDrizzleOnPool)),
)
testCreditStore('postgresStore on Drizzle on PGlite', () => openStoreOn(viaDrizzleOnPGlite))
