export { testCache, type OpenedCache } from './cache.js'
