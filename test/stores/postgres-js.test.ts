import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaDrizzleOnPostgresJs, viaPostgresJs } from './real-databases.js'

testCreditStore('postgresStore on postgres.js', () => openStoreOn(viaPostgresJs))
testCreditStore('postgresStore on Drizzle on postgres.js', () => openStoreOn(viaDrizzleOnPostgresJs))
