import { InvalidInputError } from './errors.js'
import { creditTypeName } from './inputs.js'

/** The guide's credit types, used when none are configured. */
export const DEFAULT_CREDIT_TYPES = ['enrichment', 'calling', 'scraping'] as const
/** `'enrichment' | 'calling' | 'scraping'`: the credit types of a service made without `creditTypes`. */
export type DefaultCreditType = (typeof DEFAULT_CREDIT_TYPES)[number]

type IsUnion<T, U = T> = [T] extends [never] ? false : T extends U ? ([U] extends [T] ? false : true) : never

/** `creditType` may be left out only when there is exactly one to choose. */
export type CreditTypeField<T extends string> =
  IsUnion<T> extends true ? { creditType: T } : { creditType?: T | undefined }

/** A positional credit type that others follow: `undefined` only when there is exactly one to choose. */
export type CreditTypePosition<T extends string> = CreditTypeField<T>['creditType']

/** A positional credit type at the end: may be left out only when there is exactly one to choose. */
export type LastCreditType<T extends string> = IsUnion<T> extends true ? [creditType: T] : [creditType?: T]

/** The kinds of credit one service knows. */
export class CreditTypes<T extends string> {
  readonly names: readonly T[]
  readonly #known: ReadonlySet<string>

  constructor(names: readonly T[]) {
    if (names.length === 0)
      throw new InvalidInputError([{ path: 'creditTypes', message: 'must name at least one credit type' }])
    for (const name of names) {
      if (name === 'legacy')
        throw new InvalidInputError([{ path: 'creditTypes', message: '"legacy" is a name of getProducts()' }])
      const checked = creditTypeName.safeParse(name)
      if (!checked.success)
        throw new InvalidInputError([
          { path: 'creditTypes', message: `"${name}" ${checked.error.issues[0]?.message ?? ''}` },
        ])
    }
    this.names = [...new Set(names)]
    this.#known = new Set(names)
  }

  /** The configured type of this name; the only one there is, when none is given. */
  resolve(name: string | undefined): T {
    const [first, second] = this.names
    if (name === undefined && first !== undefined && second === undefined) return first
    if (name !== undefined && this.#known.has(name)) return name as T
    const message = name === undefined ? 'is required' : `"${name}" is not configured`
    throw new InvalidInputError([{ path: 'creditType', message: `${message}; known: ${this.names.join(', ')}` }])
  }
}
