/**
 * What one process must have only once, however often its modules are loaded: bundlers load this package twice (Next's
 * pages and routes), and two stores would mean two memories. Kept on `globalThis` for that reason alone.
 */
const REGISTRY = Symbol.for('creditkit')

function registry(): Map<string, unknown> {
  // A property of ours on the global object, which its type can't know.
  const holder = globalThis as { [REGISTRY]?: Map<string, unknown> | undefined }
  holder[REGISTRY] ??= new Map()
  return holder[REGISTRY]
}

/** The value registered under `key`, made by `make` when there is none yet. */
export function registered<V>(key: string, make: () => V): V {
  const entries = registry()
  if (!entries.has(key)) entries.set(key, make())
  // Every key is used with one type, by the one module that owns it.
  return entries.get(key) as V
}

/** Forget a value, if it still is the registered one: the next `registered` makes it anew. */
export function unregister(key: string, value: unknown): void {
  if (registry().get(key) === value) registry().delete(key)
}
