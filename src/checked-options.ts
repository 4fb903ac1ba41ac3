import * as z from 'zod'
import type { CreditServiceOptions } from './credit-service-options.js'
import { EVENT_KINDS } from './ledger/event.js'
import { REFUND_POLICIES } from './ledger/refund.js'
import * as inputs from './inputs.js'

/**
 * Refuse options that can't be meant, before anything is opened: a policy with a typing error would else decide about money
 * by the default, or by nothing. What prices, plans, limits and thresholds hold is checked by those who read them.
 *
 * @throws {InvalidInputError} Names the options.
 */
export function checkOptions<T extends string>(options: CreditServiceOptions<T>): void {
  inputs.parseInput(serviceOptions, options)
}

const object = z.custom<object>((value) => typeof value === 'object' && value !== null, 'must be an object')
const table = z.custom<object>(isTable, 'must be an object of named entries')
const names = table.refine(
  (given) => Object.keys(given).every((name) => inputs.identifier.safeParse(name).success),
  'must have names of 1–255 characters, well-formed and without NUL',
)
const callback = z.custom((value) => typeof value === 'function', 'must be a function')
const callbacks = z.object(Object.fromEntries(EVENT_KINDS.map((kind) => [kind, callback.optional()])))
const withMethods = (...methods: string[]) =>
  z.custom<object>(
    (value) => {
      if (typeof value !== 'object' || value === null) return false
      return methods.every((name) => typeof Reflect.get(value, name) === 'function')
    },
    `must have the methods ${methods.join(', ')}`,
  )

const serviceOptions = z.object({
  creditTypes: z.array(z.string()).optional(),
  store: withMethods('update', 'close').optional(),
  cache: withMethods('get', 'set', 'invalidate').nullish(),
  payments: withMethods('verifyWebhook').optional(),
  clawbackPolicy: z.enum(['debt', 'clamp']).optional(),
  refundPolicy: z.enum(REFUND_POLICIES).optional(),
  operations: names.optional(),
  plans: names.optional(),
  limits: table.optional(),
  lowBalance: z.union([z.array(z.unknown()), table], 'must be a list of thresholds, or one per credit type').optional(),
  expiringSoonSeconds: z.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional(),
  on: object.pipe(callbacks).optional(),
  waitUntil: callback.optional(),
  clock: withMethods('now').optional(),
  batching: z.boolean().optional(),
  logger: withMethods('debug', 'info', 'warn', 'error').optional(),
  telemetry: withMethods('call', 'moved', 'refused').optional(),
})

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
