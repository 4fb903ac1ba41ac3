import { OutcomeUnknownError, UnavailableError } from '../../src/index.js'
import type { Command, CreditStore } from '../../src/ports/store.js'

/** `before`: nothing is written; `after`: it is written, and the answer is lost; null: all is well. */
export type Fault = 'before' | 'after' | null

/** The same store, whose writes fail when `faultOf` says so. */
export function failingStore(store: CreditStore, faultOf: (command: Command) => Promise<Fault>): CreditStore {
  const update: CreditStore['update'] = async (command, decide, compare) => {
    const fault = await faultOf(command)
    if (fault === 'before') throw new UnavailableError('Failed on purpose')
    const outcome = await store.update(command, decide, compare)
    if (fault === 'after') throw new OutcomeUnknownError('Lost on purpose')
    return outcome
  }
  return new Proxy(store, {
    get: (target, property) => {
      if (property === 'update') return update
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** What a command is for: `capture`, `release`, …; null: it says nothing. */
export function operationOf({ request }: Command): unknown {
  return request.find(([field]) => field === 'operation')?.[1] ?? null
}
