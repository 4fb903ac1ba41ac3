import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaPool } from './real-databases.js'

testCreditStore('postgresStore on a pg Pool', () => openStoreOn(viaPool))
