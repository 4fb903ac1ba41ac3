import type { AnyTRPCRootTypes, TRPCProcedureBuilder, TRPCRouterBuilder, TRPCUnsetMarker } from '@trpc/server'
import type { Caller } from '../../src/api/procedure.js'
import type { CreditService } from '../../src/credit-service.js'

/** A procedure builder of the host's, with its middlewares but without an input or output of its own. */
export type HostProcedure<TRoot extends AnyTRPCRootTypes, TOverrides extends object> = TRPCProcedureBuilder<
  TRoot['ctx'],
  TRoot['meta'],
  TOverrides,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  false
>

/** The host's context, as its middlewares left it. */
type HostContext<TContext, TOverrides> = [keyof TOverrides] extends [never]
  ? TContext
  : TContext extends unknown
    ? Omit<TContext, keyof TOverrides> & TOverrides
    : never

/** What the routers are built from: the host's own tRPC, its credits, and who is calling. */
export interface CreditsRouterOptions<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
> {
  credits: CreditService<T>
  /** `t.router` */
  router: TRPCRouterBuilder<TRoot>
  /** `t.procedure`, or one with middlewares: what public procedures are built on. */
  procedure: HostProcedure<TRoot, TOverrides>
  /** What procedures of signed-in users are built on. Default: `procedure`. */
  userProcedure?: HostProcedure<TRoot, TUserOverrides>
  /** What administrators' procedures are built on. Default: `procedure`. */
  adminProcedure?: HostProcedure<TRoot, TAdminOverrides>
  /**
   * Who is calling; null: nobody is signed in. Asked with the context of the procedure called, also when the host's own
   * procedures check by themselves. Without it every procedure that is not public is refused (UNAUTHORIZED).
   */
  authenticate?: (
    ctx:
      | HostContext<TRoot['ctx'], TOverrides>
      | HostContext<TRoot['ctx'], TUserOverrides>
      | HostContext<TRoot['ctx'], TAdminOverrides>,
  ) => Caller | null | undefined | Promise<Caller | null | undefined>
}
