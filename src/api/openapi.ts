import * as z from 'zod'
import { ERROR_CODES } from '../errors.js'
import { inputSchema, type JsonSchema } from './json-schemas.js'
import * as outputs from './outputs.js'
import type { Kind, Procedure } from './procedure.js'
import { type ProcedureName, ROUTES, WEBHOOK_PATH } from './routes.js'
import * as selling from './selling-outputs.js'

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  openapi: '3.1.0'
  info: { title: string; version: string; description: string }
  paths: Record<string, Record<string, unknown>>
  components: { schemas: Record<string, unknown>; responses: Record<string, unknown>; securitySchemes: unknown }
  [member: string]: unknown
}

type AnyProcedure = Pick<Procedure<string, Kind, unknown, unknown>, 'kind' | 'role' | 'summary' | 'input' | 'output'>

/** Outputs that several procedures share, under the names documents show. */
const NAMED: Record<string, z.ZodType> = {
  Balance: outputs.balanceFigures,
  Transaction: outputs.transaction,
  Grant: outputs.grant,
  Hold: outputs.hold,
  Package: selling.creditPackage,
  Checkout: selling.checkout,
  Subscription: selling.subscription,
  AutoTopup: selling.autoTopup,
  Purchase: selling.purchase,
  QuarantinedPayment: selling.quarantineEntry,
}

/** The document of all procedures below `basePath`. */
export function openapiDocument(
  table: Readonly<Record<ProcedureName, AnyProcedure>>,
  basePath: string,
): OpenApiDocument {
  const { schemas, referTo } = componentsOf(table)
  const paths: OpenApiDocument['paths'] = {}
  for (const [name, route] of Object.entries(ROUTES)) {
    const [method = '', path = '', keyed] = route.split(' ')
    // The entries of ROUTES are named by its keys.
    const procedure = table[name as ProcedureName]
    const operations = (paths[path] ??= {})
    operations[method.toLowerCase()] = operation(name, procedure, method, path, keyed !== undefined, referTo)
  }
  paths[WEBHOOK_PATH] = { post: WEBHOOK }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Credits',
      version: '1.0.0',
      description: 'Prepaid credits. Amounts are whole credits; money is in minor units; moments are ISO 8601, UTC.',
    },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    tags: [
      { name: 'public', description: 'For everybody' },
      { name: 'user', description: 'For signed-in users, about themselves' },
      { name: 'admin', description: 'For administrators and the host’s own services' },
    ],
    paths,
    components: { schemas, responses: { Problem: PROBLEM }, securitySchemes: SECURITY },
  }
}

/** How callers say who they are is the host's to decide: a bearer token, a session's cookie, or whatever it reads. */
const SECURITY = {
  bearer: { type: 'http', scheme: 'bearer', description: 'Or whatever else the host’s `authenticate` reads.' },
}

const PROBLEM = {
  description: 'Refused (RFC 9457). `code` is stable.',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          code: { type: 'string', examples: Object.keys(ERROR_CODES) },
          requestId: { type: 'string' },
        },
      },
    },
  },
}

const WEBHOOK = {
  operationId: 'handleWebhook',
  summary: 'The payment provider’s webhook. The signature over the raw body protects it.',
  tags: ['public'],
  security: [],
  requestBody: { required: true, content: { 'application/json': { schema: {} } } },
  responses: { 200: { description: 'Received, and acted on' }, default: { $ref: '#/components/responses/Problem' } },
}

function componentsOf(table: Readonly<Record<string, AnyProcedure>>) {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id })
  for (const [name, { output }] of Object.entries(table))
    if (!registry.has(output)) registry.add(output, { id: `${name.slice(0, 1).toUpperCase()}${name.slice(1)}Result` })
  const uri = (id: string) => `#/components/schemas/${id}`
  const made = z.toJSONSchema(registry, { io: 'output', uri, unrepresentable: 'any' })
  const schemas = Object.fromEntries(
    Object.entries(made.schemas).map(([id, { $schema: _1, $id: _2, ...schema }]) => [id, schema]),
  )
  return { schemas, referTo: (schema: z.ZodType) => ({ $ref: uri(registry.get(schema)?.id ?? '') }) }
}

function operation(
  operationId: string,
  { role, summary, input, output }: AnyProcedure,
  method: string,
  path: string,
  isKeyed: boolean,
  referTo: (schema: z.ZodType) => { $ref: string },
): unknown {
  const schema = inputSchema(input)
  const inPath = new Set([...path.matchAll(/\{(\w+)\}/g)].map(([, field = '']) => field))
  const fields = Object.entries(schema.properties ?? {})
  const parameters: unknown[] = fields
    .filter(([name]) => inPath.has(name) || method === 'GET')
    .map(([name, field]) => ({
      name,
      in: inPath.has(name) ? 'path' : 'query',
      required: inPath.has(name) || (schema.required ?? []).includes(name),
      schema: field,
    }))
  if (isKeyed) parameters.push(IDEMPOTENCY_KEY)
  return {
    operationId,
    summary,
    tags: [role],
    security: role === 'public' ? [] : [{ bearer: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(method === 'GET' ? {} : bodyOf(schema, inPath)),
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: referTo(output) } } },
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The caller’s name for this one intent: a repeat returns the first result and has no second effect.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
}

function bodyOf(schema: JsonSchema, inPath: ReadonlySet<string>): object {
  const properties = Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([name]) => !inPath.has(name)))
  const required = (schema.required ?? []).filter((name) => !inPath.has(name))
  return {
    requestBody: {
      required: required.length > 0,
      content: { 'application/json': { schema: { ...schema, properties, required } } },
    },
  }
}
