import type { ProcedureName } from './routes.js'

/** What `onAdminCall` is told of: who changed what. Refused calls and reads are not told. */
export interface AdminCall {
  procedure: ProcedureName
  /** The administrator's `userId`, as text. */
  actor: string
  /** What was sent, path and idempotency key included, before it was checked: without defaults, moments as text. */
  input: Record<string, unknown>
  /** The `x-request-id` of the answer. */
  requestId: string
}

/** The host's audit log. What it throws, or rejects with, goes to `onError`: the change was made, and its caller is told so. */
export type OnAdminCall = (call: AdminCall) => unknown

export async function tellAdminCall(
  onAdminCall: OnAdminCall | undefined,
  call: AdminCall,
  onError: (error: unknown, call: { procedure: ProcedureName; requestId: string }) => void,
): Promise<void> {
  try {
    await onAdminCall?.(call)
  } catch (error) {
    onError(error, { procedure: call.procedure, requestId: call.requestId })
  }
}
