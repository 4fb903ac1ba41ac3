import type * as z from 'zod'
import type { UserId } from '../credit-inputs.js'
import type { CreditService } from '../credit-service.js'
import { ForbiddenError, UnauthorizedError } from '../errors.js'
import { parseInput, userId } from '../inputs.js'

/** Who calls, by the host's own word. */
export interface Caller {
  /** Whose credits user procedures read and spend. */
  userId: UserId
  /** May this caller change the catalogue and other people's credits? */
  isAdmin: boolean
}

/** Who may call: everybody, whoever is signed in (about themselves), administrators. */
export type Role = 'public' | 'user' | 'admin'

/** A `query` changes nothing anybody asked for, and may be repeated at will. */
export type Kind = 'query' | 'mutation'

/** What a door knows of one call. */
export interface Call<T extends string> {
  credits: CreditService<T>
  /** The host's answer to who is calling; null: nobody is signed in. Undefined: the host never said how to find out. */
  authenticate: (() => MaybeCaller | Promise<MaybeCaller>) | undefined
}

export type MaybeCaller = Caller | null | undefined

/** One thing callers can ask for. Every door is derived from these. */
export interface Procedure<T extends string, K extends Kind, In, Out> {
  readonly kind: K
  readonly role: Role
  /** One line, for documents. */
  readonly summary: string
  /** What callers send; fields that are not named are dropped, so `userId`, `actor` and `tx` of a client never arrive. */
  readonly input: z.ZodType
  /** What comes back, as JSON. */
  readonly output: z.ZodType
  /** Find out who calls, check that they may and what they sent, and do it. Throws creditkit's own errors. */
  readonly run: (call: Call<T>, input: unknown) => Promise<Out>
  /** Only a type: what callers send. */
  readonly _in?: In
}

/** What callers of a role are by the time a procedure runs. */
interface Callers {
  public: { isAdmin: () => Promise<boolean> }
  user: { userId: UserId; isAdmin: boolean }
  admin: { actor: string }
}

/** A schema of what a client sends, with the types it has for clients and for the procedure. */
export interface Wire<In, Input> {
  readonly schema: z.ZodType
  readonly _in?: In
  readonly _input?: Input
}

interface Definition<T extends string, R extends Role, In, Input, Out> {
  role: R
  summary: string
  input: Wire<In, Input>
  output: z.ZodType
  call: (context: { credits: CreditService<T> } & Callers[R], input: Input) => Promise<Out>
}

export function query<T extends string, R extends Role, In, Input, Out>(
  definition: Definition<T, R, In, Input, Out>,
): Procedure<T, 'query', In, Out> {
  return { ...procedure(definition), kind: 'query' }
}

export function mutation<T extends string, R extends Role, In, Input, Out>(
  definition: Definition<T, R, In, Input, Out>,
): Procedure<T, 'mutation', In, Out> {
  return { ...procedure(definition), kind: 'mutation' }
}

function procedure<T extends string, R extends Role, In, Input, Out>({
  role,
  summary,
  input,
  output,
  call,
}: Definition<T, R, In, Input, Out>): Omit<Procedure<T, Kind, In, Out>, 'kind'> {
  return {
    role,
    summary,
    input: input.schema,
    output,
    run: async ({ credits, authenticate }, given) => {
      const caller = await CALLERS[role](authenticate)
      // The schema decides at run time; the type narrows `creditType` to the service's own names.
      return call({ credits, ...caller }, parseInput(input.schema, given) as Input)
    },
  }
}

/** Whose it must be for the caller to see it: administrators see everybody's. */
export function ownedBy({ userId, isAdmin }: { userId: UserId; isAdmin: boolean }): { userId?: UserId } {
  return isAdmin ? {} : { userId }
}

type Authenticate = Call<string>['authenticate']

const CALLERS: { [R in Role]: (authenticate: Authenticate) => Promise<Callers[R]> } = {
  // Asks only when somebody wants to know.
  public: async (authenticate) => ({ isAdmin: async () => (await callerOf(authenticate))?.isAdmin === true }),
  user: (authenticate) => signedIn(authenticate),
  admin: async (authenticate) => {
    const caller = await signedIn(authenticate)
    if (!caller.isAdmin) throw new ForbiddenError()
    return { actor: String(caller.userId) }
  },
}

/**
 * May this caller ask at all? Procedures find out by themselves; a door that has a body to read asks before.
 *
 * @throws {UnauthorizedError} @throws {ForbiddenError}
 */
export async function admit(role: Role, authenticate: Authenticate): Promise<void> {
  await CALLERS[role](authenticate)
}

async function signedIn(authenticate: Authenticate): Promise<Caller> {
  if (authenticate === undefined) throw new UnauthorizedError('Authentication is not configured: pass `authenticate`')
  const caller = await callerOf(authenticate)
  if (caller === null) throw new UnauthorizedError()
  return caller
}

/** Null also for an answer without a usable id: better nobody than somebody called "undefined". */
export async function callerOf(authenticate: Authenticate): Promise<Caller | null> {
  const caller = await authenticate?.()
  const id = userId.safeParse(caller?.userId)
  return id.success ? { userId: id.data, isAdmin: caller?.isAdmin === true } : null
}
