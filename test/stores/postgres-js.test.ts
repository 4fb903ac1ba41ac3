import { testCreditStore } from '../conformance/index.js'
import { hidingTheClient, openStoreOn, viaDrizzleOnPostgresJs, viaPostgresJs } from './real-databases.js'

testCreditStore('postgresStore on postgres.js', () => openStoreOn(viaPostgresJs))
testCreditStore('postgresStore on Drizzle on postgres.js', () => openStoreOn(viaDrizzleOnPostgresJs))
testCreditStore('postgresStore on any Drizzle, here of postgres.js', () =>
  openStoreOn(hidingTheClient(viaDrizzleOnPostgresJs)),
)
