export { memoryCache } from './memory/cache.js'
export { memoryStore } from './memory/store.js'
