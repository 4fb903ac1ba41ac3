import * as z from 'zod'
import type { CreditServiceOptions } from './credit-service-options.js'
import type { CreditTypes } from './credit-types.js'
import { InvalidInputError } from './errors.js'
import type { AccountRules } from './ledger/account-state.js'
import type { Threshold } from './ledger/alert.js'
import { EVENT_KINDS, type EventKind } from './ledger/event.js'
import { type Limit, LIMIT_PERIODS, limitName } from './ledger/limit.js'

const limit = z.strictObject({
  max: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  per: z.enum(LIMIT_PERIODS),
  of: z.enum(['calls', 'credits']).default('calls'),
})

const threshold = z.union(
  [
    z
      .number()
      .int()
      .nonnegative()
      .transform((credits): Threshold => ({ credits })),
    z
      .string()
      .regex(/^(100|\d{1,2})(\.\d+)?%$/)
      .transform((text): Threshold => ({ percent: Number.parseFloat(text) })),
  ],
  'must be a whole number of credits or a percentage like "10%"',
)

/** What a service's options say about its accounts, checked once. */
export class ServiceRules<T extends string> {
  readonly #rules: ReadonlyMap<string, AccountRules>
  readonly #fallback: AccountRules

  /** @throws {InvalidInputError} An option that can't be, or names an unknown credit type. */
  constructor(options: CreditServiceOptions<T>, types: CreditTypes<T>) {
    const { lowBalance, on = {} } = options
    // Maps: a credit type may have the name of something every object has.
    const limits = new Map<string, unknown>(Object.entries(options.limits ?? {}))
    const announce = announced(on, options.payments !== undefined)
    for (const name of limits.keys()) types.resolve(name)
    const isForAll = Array.isArray(lowBalance)
    const forAll: unknown = isForAll ? lowBalance : []
    const byType = new Map<string, unknown>(isForAll ? [] : Object.entries(lowBalance ?? {}))
    for (const name of byType.keys()) types.resolve(name)
    this.#fallback = { limits: [], alerts: [], announce }
    this.#rules = new Map(
      types.names.map((name) => [
        name,
        {
          limits: parseLimits(name, limits.get(name)),
          alerts: parseOption(`lowBalance.${name}`, z.array(threshold), byType.get(name) ?? forAll),
          announce,
        },
      ]),
    )
  }

  /** For an account of a type that is no longer configured: no limits, no alerts. */
  of(creditType: string): AccountRules {
    return this.#rules.get(creditType) ?? this.#fallback
  }
}

/** An option by its schema; refusals name its place among the options. */
function parseOption<S extends z.ZodType>(name: string, schema: S, given: unknown): z.output<S> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: [name, ...path].join('.'), message }))
  throw new InvalidInputError(issues)
}

function parseLimits(creditType: string, given: unknown): readonly Limit[] {
  const limits = parseOption(`limits.${creditType}`, z.array(limit), given ?? [])
  const names = limits.map(limitName)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new InvalidInputError([{ path: `limits.${creditType}`, message: `names ${twice} twice` }])
  return limits
}

function announced(on: object, hasPayments: boolean): ReadonlySet<EventKind> {
  const kinds = Object.entries(on).flatMap(([kind, callback]) => (callback === undefined ? [] : [kind]))
  const unknown = kinds.find((kind) => !EVENT_KINDS.some((known) => known === kind))
  if (unknown !== undefined) {
    const message = `"${unknown}" is no event; known: ${EVENT_KINDS.join(', ')}`
    throw new InvalidInputError([{ path: 'on', message }])
  }
  const told: EventKind[] = EVENT_KINDS.filter((kind) => kinds.includes(kind))
  return new Set(hasPayments ? [...told, 'topupDue'] : told)
}
