/**
 * The guide calls methods with positional arguments; we take one object. Both forms end as one object here: a single
 * object argument is taken as it is, anything else is named by position.
 */
export function namedArguments(args: readonly unknown[], names: readonly string[]): unknown {
  const [first] = args
  if (args.length === 1 && typeof first === 'object' && first !== null) return first
  return Object.fromEntries(names.map((name, index) => [name, args[index]]))
}
