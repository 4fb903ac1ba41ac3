import type { CreditStore } from '../../src/ports/store.js'

/** The same store with some of its methods replaced. */
export function overriding(store: CreditStore, methods: Partial<CreditStore>): CreditStore {
  return new Proxy(store, {
    get: (target, property) => {
      if (Object.hasOwn(methods, property)) return Reflect.get(methods, property) as unknown
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
