import type { Session } from './session.js'

/**
 * Let the public methods of a service run through the host's telemetry. Without one nothing is touched, so that it costs
 * nothing. `classes`: those whose methods they are; a host's own methods, in a class of its own, stay what they are.
 */
export function instrument<T extends string>(
  target: object,
  classes: readonly { prototype: object }[],
  { options: { telemetry, operations = {} }, types }: Session<T>,
  prefix = '',
): void {
  if (telemetry === undefined) return
  const known = new Set<unknown>(types.names)
  const creditTypeOf = (args: readonly unknown[], result: unknown): string | null => {
    if (types.names.length === 1) return types.names[0] ?? null
    // Positional: the user's id comes first, and may be called like a credit type.
    const [input, ...rest] = args
    const operation = operations[String(field(input, 'operation'))]
    const named = [field(input, 'creditType'), operation?.creditType, ...rest, field(result, 'creditType')]
    const found = named.find((name) => known.has(name))
    return typeof found === 'string' ? found : null
  }
  for (const name of new Set(classes.flatMap(({ prototype }) => methodNames(prototype)))) {
    const method: unknown = Reflect.get(target, name)
    if (typeof method !== 'function') continue
    const operation = `${prefix}${name}`
    const value = (...args: unknown[]): Promise<unknown> =>
      telemetry.call({ operation, args, creditTypeOf: (result) => creditTypeOf(args, result) }, () =>
        // Every public method returns a promise.
        Promise.resolve(Reflect.apply(method, target, args)),
      )
    Object.defineProperty(target, name, { value, writable: true, configurable: true })
  }
}

/** Getters are no methods: they are not looked at. */
function methodNames(prototype: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name)
}

/** Plain fields alone: what an object of the host's reckons out may throw, and the call has been made. */
function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.getOwnPropertyDescriptor(value, name)?.value
}
