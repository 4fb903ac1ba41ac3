import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaPostgresJs } from './real-databases.js'

testCreditStore('postgresStore on postgres.js', () => openStoreOn(viaPostgresJs))
