import * as z from 'zod'
import { InvalidAmountError, InvalidInputError } from './errors.js'
import { GRANT_SOURCES } from './ledger/grant.js'
import { TRANSACTION_TYPES } from './ledger/transaction.js'
import { isStorableText, toPlainJson } from './plain-json.js'
import type { UserIdType } from './ports/store.js'

/** Ids, keys and references: 1–255 characters, well-formed Unicode, no NUL, not only blanks. */
export const identifier = z
  .string()
  .min(1)
  .max(255)
  .refine(isStorableText, 'must be well-formed text without NUL')
  .refine((text) => text.trim() !== '', 'must not be blank')

/** Keys that start with this are ours: callers can't use them. */
export const INTERNAL_KEY_PREFIX = 'creditkit:'

export const idempotencyKey = identifier.refine(
  (key) => !key.startsWith(INTERNAL_KEY_PREFIX),
  `must not start with "${INTERNAL_KEY_PREFIX}"`,
)

export const description = z.string().max(2000).refine(isStorableText, 'must be well-formed text without NUL')

/** The host's user id; made canonical by {@link canonicalUserId} afterwards. */
export const userId = z.union(
  [identifier, z.number().int().nonnegative()],
  'must be text of 1–255 characters or a whole number',
)

export const creditTypeName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1–64 letters, digits, "_", "-" or "."')

/** Credits, a positive safe integer. */
export const amount = z
  .custom<number>()
  .superRefine((value, context) => {
    const message = amountProblem(value)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .meta({ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

/** Credits, a safe integer, negative to take. */
export const signedAmount = z
  .custom<number>()
  .superRefine((value, context) => {
    const message =
      value === 0 ? 'Amount must not be zero' : amountProblem(typeof value === 'number' ? Math.abs(value) : value)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .meta({ type: 'integer', not: { const: 0 } })

function amountProblem(value: unknown): string | null {
  if (typeof value !== 'number') return 'Amount must be a number'
  if (value <= 0) return 'Amount must be positive'
  return Number.isSafeInteger(value) ? null : 'Amount must be a whole number that can be counted exactly'
}

/** Plain JSON, at most 16 kB and 20 levels deep. */
export const metadata = z.unknown().transform((value, context) => {
  const checked = toPlainJson(value)
  if ('json' in checked) return checked.json
  context.addIssue({ code: 'custom', message: checked.problem })
  return z.NEVER
})

/** A moment Postgres and JavaScript agree about. */
export const moment = z.date().min(new Date('1970-01-01T00:00:00Z')).max(new Date('9999-12-31T23:59:59.999Z'))

export const pageSize = z.number().int().min(1).max(200)

export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? null)

/** What every write takes beside its own fields. `tx`: the host's own database transaction. */
export const everyWrite = {
  idempotencyKey: optional(idempotencyKey),
  actor: optional(identifier),
  metadata: optional(metadata),
  tx: z.unknown().optional(),
}

/** A name of something the host configured. Which there are is looked up; no refusal repeats more than this. */
export const configuredName = z.string().max(255)

/** Left out when only one credit type is configured. */
export const creditType = configuredName.optional()

/** A function that is handed in, by the name of its argument. */
export const callback = (name: string) =>
  z.object({ [name]: z.custom((value) => typeof value === 'function', 'must be a function') })

/** The id of one of our rows; in another case or form it names nothing. */
export const rowId = z.string().transform((id) => id.toLowerCase())

export const deductCreditsInput = z.object({
  userId,
  amount,
  creditType,
  description,
  referenceId: optional(identifier),
  referenceType: optional(identifier),
  ...everyWrite,
})

export const addCreditsInput = z.object({
  userId,
  amount,
  creditType,
  description,
  transactionType: z
    .enum(['purchase', 'refund', 'adjustment'], 'must be purchase, refund or adjustment; uses are deducted')
    .default('adjustment'),
  referenceId: optional(identifier),
  referenceType: optional(identifier),
  source: z.enum(GRANT_SOURCES).optional(),
  expiresAt: optional(moment),
  effectiveAt: optional(moment),
  priority: z.number().int().min(-1_000_000).max(1_000_000).default(0),
  paidAmount: optional(z.number().int().nonnegative()),
  currency: optional(z.string().regex(/^[a-z]{3}$/, 'must be a lower-case ISO 4217 code')),
  ...everyWrite,
})

export const adjustCreditsInput = z.object({ userId, amount: signedAmount, creditType, description, ...everyWrite })

export const refundCreditsInput = z.object({
  transactionId: z.string(),
  amount: amount.optional(),
  reason: optional(description),
  userId: userId.optional(),
  ...everyWrite,
})

export const accountInput = z.object({ userId, creditType })
export const checkBalanceInput = accountInput.extend({ required: amount })

export const historyInput = z.object({
  userId,
  creditType,
  limit: pageSize.default(50),
  offset: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).default(0),
})

const isRange = ({ from, to }: { from: Date | null; to: Date | null }): boolean =>
  from === null || to === null || from <= to
const notARange = { path: ['to'], message: 'must not be before the beginning of the range' }

export const listTransactionsInput = z
  .object({
    userId,
    creditType,
    transactionType: z.enum(TRANSACTION_TYPES).optional(),
    from: optional(moment),
    to: optional(moment),
    limit: pageSize.default(50),
    cursor: z.string().max(20_000).nullish(),
  })
  .refine(isRange, notARange)

export const usageInput = accountInput
  .extend({ from: optional(moment), to: optional(moment) })
  .refine(isRange, notARange)

export const verifyInput = z.object({ userId: userId.optional() })

/** Check an input by its schema. Throws `InvalidAmountError` or `InvalidInputError`; never anything of zod's. */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }))
  const wrongAmount = issues.find(({ path }) => path === 'amount' || path === 'required')
  throw wrongAmount === undefined ? new InvalidInputError(issues) : new InvalidAmountError(wrongAmount.message)
}

/** The one spelling under which a user's id is a key, in the database and in the cache: `1` is `"1"`. */
export function canonicalUserId(id: string | number, type: UserIdType): string {
  const text = String(id)
  const canonical = type === 'uuid' ? text.toLowerCase() : text
  const problem = userIdProblem(canonical, type)
  if (problem !== null) throw new InvalidInputError([{ path: 'userId', message: problem }])
  return canonical
}

function userIdProblem(id: string, type: UserIdType): string | null {
  if (type === 'text') return null
  if (type === 'uuid') return UUID.test(id) ? null : 'must be a UUID'
  const largest = type === 'integer' ? 2_147_483_647n : 9_223_372_036_854_775_807n
  if (!/^(0|[1-9]\d{0,18})$/.test(id) || BigInt(id) > largest)
    return `must be a whole number of type ${type}, written without leading zeros`
  return null
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Could this be the id of one of our rows? */
export function isRowId(id: string): boolean {
  return UUID.test(id.toLowerCase())
}
