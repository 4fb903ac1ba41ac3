import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaPostgresJs } from './real-databases.js'

// Each by itself: test/long.
testCreditStore('postgresStore on postgres.js, on a ledger in partitions', () =>
  openStoreOn(viaPostgresJs, { partitions: 5 }),
)
