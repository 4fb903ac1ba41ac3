import type { AnyTRPCRootTypes, TRPCProcedureBuilder, TRPCUnsetMarker } from '@trpc/server'
import { ForbiddenError, UnauthorizedError } from '../../src/errors.js'
import { userId } from '../../src/inputs.js'
import type { Caller, CreditsRouterOptions } from './options.js'
import { toTRPCError } from './trpc-errors.js'

/** A host's builder, seen without what we never look at: its context is opaque to us. */
type OpaqueProcedure<TMeta> = TRPCProcedureBuilder<
  object,
  TMeta,
  object,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  false
>

/** The three kinds of procedures, on the host's own builders. `ctx.caller` is who calls, and nothing else says so. */
export function procedures<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object,
  TAdminOverrides extends object,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  const { procedure, userProcedure = procedure, adminProcedure = procedure } = options
  // tRPC's edge: the builders' context types differ, and only `authenticate`, typed with them, reads the context.
  const own = (builder: unknown) => withCreditErrors(builder as OpaqueProcedure<TRoot['meta']>)
  const authenticate = options.authenticate as Authenticate | undefined

  return {
    /** For everybody. `ctx.isAdmin` asks only when somebody wants to know. */
    open: own(procedure).use(({ ctx, next }) =>
      next({ ctx: { isAdmin: async () => (await callerOf(authenticate, ctx))?.isAdmin === true } }),
    ),
    user: own(userProcedure).use(async ({ ctx, next }) => next({ ctx: { caller: await signedIn(authenticate, ctx) } })),
    admin: own(adminProcedure).use(async ({ ctx, next }) => {
      const caller = await signedIn(authenticate, ctx)
      if (!caller.isAdmin) throw new ForbiddenError()
      return next({ ctx: { caller } })
    }),
  }
}

type Authenticate = (ctx: object) => Caller | null | undefined | Promise<Caller | null | undefined>

/** What goes wrong after this point leaves as an error that clients may see. */
function withCreditErrors<TMeta>(builder: OpaqueProcedure<TMeta>) {
  return builder.use(async ({ next }) => {
    const result = await next()
    if (!result.ok) throw toTRPCError(result.error)
    return result
  })
}

async function signedIn(authenticate: Authenticate | undefined, ctx: object): Promise<Caller> {
  if (authenticate === undefined) throw new UnauthorizedError('Authentication is not configured: pass `authenticate`')
  const caller = await callerOf(authenticate, ctx)
  if (caller === null) throw new UnauthorizedError()
  return caller
}

/** Null also for an answer without a usable id: better nobody than somebody called "undefined". */
async function callerOf(authenticate: Authenticate | undefined, ctx: object): Promise<Caller | null> {
  const caller = await authenticate?.(ctx)
  const id = userId.safeParse(caller?.userId)
  return id.success ? { userId: id.data, isAdmin: caller?.isAdmin === true } : null
}
