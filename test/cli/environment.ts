/** Set variables of this process, or take them away; the result puts them back. */
export function inEnvironment(variables: Readonly<Record<string, string | undefined>>): () => void {
  const set = (given: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  }
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
  set(variables)
  return () => set(before)
}
