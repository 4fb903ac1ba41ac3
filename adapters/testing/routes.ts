import type { Expandable } from './expand.js'
import type { FormObject } from './form-body.js'
import { readParameters, type Rules } from './parameters.js'
import type { StripeAccount } from './stripe-account.js'

/** One call of the API, checked. */
interface Call<P> {
  readonly account: StripeAccount
  readonly params: P
  /** The object named in the URL; empty where there is none. */
  readonly id: string
  /** The second object named in the URL; empty where there is none. */
  readonly part: string
}

/** A parameter that newer versions of the API have taken away. */
export interface RemovedParameter {
  readonly name: string
  readonly code: string
  /** The first `Stripe-Version` without it: `2026-09-30`. */
  readonly since: string
  /** What an older version's parameter comes to here, as parameters of today. Default: nothing. */
  readonly means?: Readonly<FormObject>
}

type Execute = (account: StripeAccount, id: string, part: string) => object

/** One row of the routing table. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `/v1/refunds/:id/cancel`; `:id` stands for one object, `:part` for another one below it. */
  readonly path: string
  /** The kind of object it answers with, for `expand`; of the entries where `list` is set. */
  readonly gives: string
  readonly list: boolean
  readonly removed: readonly RemovedParameter[]
  /** Check the form; what comes out carries the call out. @throws {ApiError} A parameter is wrong. */
  prepare(form: FormObject): { expand: readonly string[]; execute: Execute }
}

/** Everything the server knows about one kind of object. */
export interface Resource {
  readonly routes: readonly Route[]
  readonly expandable: Expandable
}

interface RouteDefinition<P> {
  gives: string
  list?: boolean
  removed?: readonly RemovedParameter[]
  parameters: Rules<P>
  /** Synchronous, so that no call sees another half done. */
  handle: (call: Call<P>) => object
}

/** `route<Stripe.RefundCreateParams>('POST /v1/refunds', { … })` */
export function route<P extends object>(
  where: `${Route['method']} /v1/${string}`,
  definition: RouteDefinition<P>,
): Route {
  const [method, path] = where.split(' ') as [Route['method'], string]
  return {
    method,
    path,
    gives: definition.gives,
    list: definition.list ?? false,
    removed: definition.removed ?? [],
    prepare: (form) => {
      const params = readParameters(form, definition.parameters)
      const expand = (params as { expand?: readonly string[] }).expand ?? []
      return { expand, execute: (account, id, part) => definition.handle({ account, params, id, part }) }
    },
  }
}

/** The row for a request, and the ids in its URL. A row that names the path exactly goes before one with an id. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  pathname: string,
): { route: Route; id: string; part: string } | undefined {
  const parts = pathname.replace(/\/+$/, '').split('/')
  let found: { route: Route; id: string; part: string } | undefined
  for (const route of routes) {
    if (route.method !== method) continue
    const pattern = route.path.split('/')
    if (pattern.length !== parts.length) continue
    if (!pattern.every((step, index) => step.startsWith(':') || step === parts[index])) continue
    const named = (name: string): string => decode(parts[pattern.indexOf(name)] ?? '')
    found = { route, id: named(':id'), part: named(':part') }
    if (!route.path.includes(':')) return found
  }
  return found
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
