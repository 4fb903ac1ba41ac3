import * as z from 'zod'

/** As far as we look into a JSON schema. */
export interface JsonSchema {
  type?: string | string[]
  properties?: Record<string, JsonSchema>
  anyOf?: JsonSchema[]
  required?: string[]
  [keyword: string]: unknown
}

/** What callers send, as JSON Schema 2020-12. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest as JsonSchema
}

/** Texts of a query string or a path as the schema's own types; what fits none stays text, for the schema to refuse. */
export function fromTexts(schema: JsonSchema, texts: Iterable<readonly [string, string]>): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, text] of texts) {
    const field = Object.hasOwn(schema.properties ?? {}, name) ? schema.properties?.[name] : undefined
    if (field !== undefined) values[name] = fromText(typesOf(field), text)
  }
  return values
}

function fromText(types: ReadonlySet<string>, text: string): unknown {
  if (types.has('string')) return text
  if ((types.has('integer') || types.has('number')) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

/** Every type a value may have. */
function typesOf({ type = [], anyOf = [] }: JsonSchema): ReadonlySet<string> {
  return new Set([...[type].flat(), ...anyOf.flatMap((part) => [...typesOf(part)])])
}
