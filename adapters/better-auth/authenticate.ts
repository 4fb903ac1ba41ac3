import type { MaybeCaller } from '../../src/api/procedure.js'
import type { UserId } from '../../src/credit-inputs.js'

/** What is used of better-auth's `auth`. `S`: its session, with what plugins add to it. */
export interface BetterAuth<S = unknown> {
  api: { getSession: (input: { headers: Headers; query?: { disableCookieCache?: boolean } }) => Promise<unknown> }
  options: {
    plugins?: readonly { id: string; options?: unknown }[] | undefined
    session?: { cookieCache?: { enabled?: boolean | undefined } | undefined } | undefined
    database?: unknown
    secondaryStorage?: unknown
  }
  /** Only a type. */
  $Infer: { Session: S }
}

/** Who a session is to us. By default: its user by `id`, an administrator by what the admin plugin says. */
export interface AuthenticateOptions<S> {
  /** Whose credits are used; null: nobody's. Such as the active organisation's. Default: the signed-in user's. */
  userId?: ((session: S) => UserId | null | undefined) | undefined
  /** Who administrates credits. Default: whom better-auth's admin plugin calls an administrator; without it, nobody. */
  isAdmin?: ((session: S) => boolean) | undefined
}

/**
 * Who is calling, by better-auth's session: the `authenticate` of `createCreditsApi`, `createConsole` and
 * `requireCredits`. An administrator's session is read from the database, not from a cookie's cache, so that roles that
 * were taken away are gone at once.
 */
export function authenticateWith<S>(
  auth: BetterAuth<S>,
  { userId, isAdmin = (session) => hasAdminRole(session, auth) }: AuthenticateOptions<S> = {},
): (request: Request) => Promise<MaybeCaller> {
  const callerOf = (session: S | null): MaybeCaller => {
    if (session === null) return null
    const owner = userId === undefined ? userOf(session)?.id : userId(session)
    return owner == null ? null : { userId: owner, isAdmin: isAdmin(session) }
  }
  return async ({ headers }) => {
    // What it answers is what `$Infer` says; a `customSession` plugin changes both.
    const read = async (query: { disableCookieCache: boolean }) =>
      (await auth.api.getSession({ headers, query })) as S | null
    const caller = callerOf(await read({ disableCookieCache: false }))
    return caller?.isAdmin === true && hasCachedSessions(auth)
      ? callerOf(await read({ disableCookieCache: true }))
      : caller
  }
}

/** May a session come from a cookie, though there is a store to ask? */
function hasCachedSessions({ options: { session, database, secondaryStorage } }: BetterAuth): boolean {
  return session?.cookieCache?.enabled === true && (database ?? secondaryStorage) !== undefined
}

/**
 * By the options of the admin plugin. Without the plugin, `role` may be a field that users fill in themselves, and says
 * nothing.
 */
function hasAdminRole(session: unknown, { options: { plugins = [] } }: BetterAuth): boolean {
  const plugin = plugins.find(({ id }) => id === 'admin')
  const user = userOf(session)
  if (plugin === undefined || user === null) return false
  const adminUserIds = field(plugin.options, 'adminUserIds')
  if (Array.isArray(adminUserIds) && adminUserIds.includes(user.id)) return true
  const adminRoles = listOf(field(plugin.options, 'adminRoles') ?? 'admin')
  return listOf(user.role).some((role) => adminRoles.includes(role))
}

function userOf(session: unknown): { id: string; role: unknown } | null {
  const user = field(session, 'user')
  const id = field(user, 'id')
  return typeof id === 'string' ? { id, role: field(user, 'role') } : null
}

/** Several roles are kept as one text, with commas. */
function listOf(roles: unknown): string[] {
  const list: unknown[] = Array.isArray(roles) ? roles : typeof roles === 'string' ? roles.split(',') : []
  return list.map((role) => String(role).trim()).filter((role) => role !== '')
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
