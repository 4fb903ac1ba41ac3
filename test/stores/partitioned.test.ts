import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaPool } from './real-databases.js'

testCreditStore('postgresStore on a ledger in partitions', () => openStoreOn(viaPool, { partitions: 5 }))
