import type {
  AnyTRPCRootTypes,
  TRPCMutationProcedure,
  TRPCProcedureBuilder,
  TRPCQueryProcedure,
  TRPCUnsetMarker,
} from '@trpc/server'
import type { Kind, MaybeCaller, Procedure, Role } from '../../src/api/procedure.js'
import type { CreditService } from '../../src/credit-service.js'
import type { CreditsRouterOptions } from './options.js'
import { toTRPCError } from './trpc-errors.js'

/** What clients see of our procedures as tRPC's. */
export type Derived<TMeta, P> = {
  [Name in keyof P]: P[Name] extends { kind: infer K; _in?: infer In; run: (...args: never[]) => Promise<infer Out> }
    ? K extends 'query'
      ? TRPCQueryProcedure<{ meta: TMeta; input: In; output: Out }>
      : TRPCMutationProcedure<{ meta: TMeta; input: In; output: Out }>
    : never
}

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

/**
 * Our procedures on the host's own builders, by role. Who calls is asked of `authenticate` with the context of the
 * procedure called, before the input is looked at.
 */
export function derived<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object,
  TAdminOverrides extends object,
  P extends object,
>(
  options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>,
  procedures: P & Record<string, Procedure<T, Kind, unknown, unknown>>,
): Derived<TRoot['meta'], P> {
  const { credits, procedure, userProcedure = procedure, adminProcedure = procedure } = options
  const builders: Record<Role, unknown> = { public: procedure, user: userProcedure, admin: adminProcedure }
  // It is called with the context of the procedure it was asked for.
  const authenticate = options.authenticate as ((ctx: object) => MaybeCaller | Promise<MaybeCaller>) | undefined
  const entries = Object.entries<Procedure<T, Kind, unknown, unknown>>(procedures).map(([name, one]) => {
    return [name, onBuilder<T, TRoot['meta']>(builders[one.role], one, credits, authenticate)] as const
  })
  // By name and kind what was passed in; the types of input and output are the procedures' own.
  return Object.fromEntries(entries) as unknown as Derived<TRoot['meta'], P>
}

function onBuilder<T extends string, TMeta>(
  builder: unknown,
  procedure: Procedure<T, Kind, unknown, unknown>,
  credits: CreditService<T>,
  authenticate: ((ctx: object) => MaybeCaller | Promise<MaybeCaller>) | undefined,
) {
  // The procedure checks its input itself, after it knows who calls.
  const own = onHostProcedure<TMeta, unknown>(builder, (value) => value)
  const run = ({ ctx, input }: { ctx: object; input: unknown }) =>
    procedure.run({ credits, authenticate: authenticate && (() => authenticate(ctx)) }, input)
  return procedure.kind === 'query' ? own.query(run) : own.mutation(run)
}

/** The host's builder with an input of ours; what goes wrong after this point leaves as an error that clients may see. */
export function onHostProcedure<TMeta, In>(builder: unknown, parse: (value: unknown) => In) {
  // tRPC's edge: the builders' context types differ, and only `authenticate`, typed with them, reads the context.
  return (builder as OpaqueProcedure<TMeta>)
    .use(async ({ next }) => {
      const result = await next()
      if (!result.ok) throw toTRPCError(result.error)
      return result
    })
    .input(parse)
}
