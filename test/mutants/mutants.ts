import { ADAPTER_MUTANTS } from './adapter-mutants.js'
import { LEDGER_MUTANTS } from './ledger-mutants.js'
import { SERVICE_MUTANTS } from './service-mutants.js'

/** A bug of one line, planted to see that a test breaks. */
export interface Mutant {
  name: string
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
  /** What users were promised, and would not get any more. */
  breaks: string
  /** Where it has to be caught: the cheapest files that ought to. */
  tests: readonly string[]
}

/** A file's text with the bug in it. */
export function plant(source: string, { find, replace }: Mutant): string {
  // A function, since `$` means something in a replacement's text.
  return source.replace(find, () => replace)
}

export const MUTANTS: readonly Mutant[] = [...LEDGER_MUTANTS, ...SERVICE_MUTANTS, ...ADAPTER_MUTANTS]
