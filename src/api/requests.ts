import { InvalidInputError, isCreditError } from '../errors.js'
import { type BodyLimits, readBytes } from '../request-body.js'
import { ROUTES, type ProcedureName } from './routes.js'

/** A refusal of the door itself, before any procedure was asked. */
export class DoorRefusal extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Record<string, string>

  constructor(status: number, code: string, detail: string, headers: Record<string, string> = {}) {
    super(detail)
    this.name = 'DoorRefusal'
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** The caller's own id where it has a usable one, so that logs on both sides agree. */
export function requestIdOf(request: Request): string {
  const sent = request.headers.get('x-request-id')
  return sent !== null && /^[\w.:-]{1,128}$/.test(sent) ? sent : crypto.randomUUID()
}

/** A procedure's place: `/checkouts/{sessionId}` is `['checkouts', { field: 'sessionId' }]`. */
interface Route {
  name: ProcedureName
  method: string
  segments: (string | { field: string })[]
  isKeyed: boolean
}

const routes = Object.entries(ROUTES).map(([name, route]): Route => {
  const [method = '', path = '', keyed] = route.split(' ')
  return {
    // The entries of ROUTES are named by its keys.
    name: name as ProcedureName,
    method,
    isKeyed: keyed === 'keyed',
    segments: segmentsOf(path).map((segment) => (segment.startsWith('{') ? { field: segment.slice(1, -1) } : segment)),
  }
})

/** Which procedure a request asks for, and the fields that stand in its path. */
export function matchRoute(
  method: string,
  path: string,
): { name: ProcedureName; isKeyed: boolean; fields: Record<string, string> } {
  const segments = segmentsOf(path)
  const found = routes.flatMap((route) => {
    const fields = fieldsOf(route.segments, segments)
    return fields === null ? [] : [{ route, fields }]
  })
  const asked = found.find(({ route }) => route.method === method || (method === 'HEAD' && route.method === 'GET'))
  if (asked !== undefined) return { name: asked.route.name, isKeyed: asked.route.isKeyed, fields: asked.fields }
  if (found.length === 0) throw new DoorRefusal(404, 'NOT_FOUND', 'There is nothing here')
  const allow = [...new Set(found.map(({ route }) => route.method))].join(', ')
  throw new DoorRefusal(405, 'METHOD_NOT_ALLOWED', `Use ${allow}`, { allow })
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1)
}

/** The path's fields; null: another path. */
function fieldsOf(route: Route['segments'], segments: readonly string[]): Record<string, string> | null {
  if (route.length !== segments.length) return null
  const fields: Record<string, string> = {}
  for (const [index, part] of route.entries()) {
    const segment = segments[index] ?? ''
    if (typeof part === 'string' ? part !== segment : segment === '') return null
    if (typeof part !== 'string') fields[part.field] = decoded(segment, part.field)
  }
  return fields
}

function decoded(segment: string, path: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // Nothing is lost: it is no text.
    throw new InvalidInputError([{ path, message: 'must be well-formed text' }])
  }
}

/** The JSON object a request carries; none at all is an empty one. Read no further and no longer than `limits` say. */
export async function readJsonBody(request: Request, limits: BodyLimits): Promise<Record<string, unknown>> {
  const text = decodedText(await readBody(request, limits))
  if (text.trim() === '') return {}
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? ''))
    throw new DoorRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send application/json')
  const body = parsed(text)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InvalidInputError([{ path: '', message: 'must be a JSON object' }])
  return { ...body }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidInputError([{ path: '', message: 'must be JSON' }])
  }
}

/**
 * The bytes of a request's body.
 *
 * @throws {DoorRefusal} It is too large, did not arrive in time, or its sender went away.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const read = await readBytes(request, limits).catch(asBodyError)
  if (read === 'too large') throw new DoorRefusal(413, 'CONTENT_TOO_LARGE', `Send at most ${limits.maxBytes} bytes`)
  if (read === 'too slow')
    throw new DoorRefusal(408, 'REQUEST_TIMEOUT', `The body did not arrive within ${limits.timeoutMs} ms`)
  return read
}

/** A mount reports what it can't read as one of our errors; anything else means that the connection broke. */
function asBodyError(error: unknown): never {
  if (isCreditError(error)) throw error
  // Nobody is left to read it, and the host has nothing to repair.
  throw new DoorRefusal(400, 'BODY_INCOMPLETE', 'The body broke off')
}

function decodedText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InvalidInputError([{ path: '', message: 'must be UTF-8' }])
  }
}
