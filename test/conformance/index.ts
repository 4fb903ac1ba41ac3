export { testCache, type OpenedCache } from './cache.js'
export { testCreditStore, type CreditStoreSuiteOptions } from './credit-store.js'
