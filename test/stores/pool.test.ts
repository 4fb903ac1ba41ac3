import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaConnectionString, viaPool } from './real-databases.js'

testCreditStore('postgresStore on a pg Pool', () => openStoreOn(viaPool))
testCreditStore('postgresStore on a connection string', () => openStoreOn(viaConnectionString))
