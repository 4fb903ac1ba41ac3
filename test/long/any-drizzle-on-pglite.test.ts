import { testCreditStore } from '../conformance/index.js'
import { hidingTheClient, openStoreOn, viaDrizzleOnPGlite } from '../stores/real-databases.js'

// Two paths that `npm test` takes one at a time: any Drizzle (of node-postgres), and PGlite (by Drizzle that we know).
testCreditStore('postgresStore on any Drizzle, here of PGlite', () => openStoreOn(hidingTheClient(viaDrizzleOnPGlite)))
