import fc from 'fast-check'
import type { JsonSchema } from '../../src/api/json-schemas.js'

/** Texts that have broken somebody's parser, query or page. */
const HOSTILE_TEXTS = [
  ...['', ' ', '\0', '\u202e', '\ud800', '<script>alert(1)</script>', "'; drop table user_credits; --", '{{7*7}}'],
  ...['__proto__', 'constructor', '../../etc/passwd', '%00', '%zz', 'null', 'NaN', '-1', '1e309', '0x10', '٣'],
  ...['a'.repeat(300), '😀'.repeat(130), '\r\nset-cookie: a=b', 'true', '[]', '{}'],
]

const HOSTILE_NUMBERS = [0, -0, -1, 0.5, 1e21, 2 ** 53, -(2 ** 53), Number.MAX_SAFE_INTEGER, 2_147_483_648, 99_999_999]

const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.constantFrom(...HOSTILE_NUMBERS),
  fc.constantFrom(null, true, false, [], {}, [[]], { length: 1 }, { toString: 'x' }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Values that a schema asks for, so that a request comes through to what lies behind the checks. */
function fitting(schema: JsonSchema, known: readonly unknown[]): fc.Arbitrary<unknown> {
  const { type, anyOf, enum: values } = schema as JsonSchema & { enum?: unknown[] }
  if (values !== undefined) return fc.constantFrom(...values)
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((part) => fitting(part, known)))
  const kinds: Record<string, fc.Arbitrary<unknown>> = {
    integer: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer(), fc.maxSafeInteger()),
    number: fc.double({ noNaN: true }),
    boolean: fc.boolean(),
    null: fc.constant(null),
    object: fc.jsonValue({ maxDepth: 2 }),
    array: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }),
    string:
      schema.format === 'date-time'
        ? fc
            .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
            .map((date) => date.toISOString())
        : fc.oneof(fc.constantFrom(...known), fc.string({ maxLength: 30 }), fc.uuid()),
  }
  return kinds[typeof type === 'string' ? type : ''] ?? fc.jsonValue({ maxDepth: 3 })
}

/**
 * Inputs of a procedure: a sample that works, in which some fields are others that fit, hostile or missing, and sometimes
 * one more that nobody asked for. `known`: ids that exist.
 */
export function inputsOf(
  schema: JsonSchema,
  sample: Record<string, unknown>,
  known: readonly unknown[],
): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(schema.properties ?? {})
  const changed = fields.map(([name, field]) => {
    const arbitrary = fc.oneof(
      { weight: 6, arbitrary: fc.constant(sample[name]) },
      { weight: 3, arbitrary: fitting(field, known) },
      { weight: 1, arbitrary: hostile },
      { weight: 1, arbitrary: fc.constant(undefined) },
    )
    return arbitrary.map((value) => [name, value] as const)
  })
  const extra = fc.tuple(fc.constantFrom('userId', 'actor', 'tx', 'isAdmin', '__proto__', 'x'), hostile)
  return fc
    .tuple(fc.tuple(...changed), fc.array(extra, { maxLength: 1 }))
    .map(([own, more]) => Object.fromEntries([...more, ...own].filter(([, value]) => value !== undefined)))
}
