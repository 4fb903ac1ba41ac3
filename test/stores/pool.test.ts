import { testCreditStore } from '../conformance/index.js'
import { openStoreOn, viaPoolAbroad } from './real-databases.js'

testCreditStore('postgresStore on a pg Pool, in another time zone and with other dates', () =>
  openStoreOn(viaPoolAbroad),
)
