import { pgliteStore } from '../../adapters/pglite.js'
import { testCreditStore } from '../conformance/index.js'

testCreditStore('pgliteStore', async () => pgliteStore())
