import { TRPCError } from '@trpc/server'
import { ERROR_CODES, isCreditError } from '../../src/errors.js'

/**
 * The error as clients may see it: ours with their codes and messages and themselves as `cause`; what the host threw as
 * a TRPCError unchanged; everything else without its message, which may hold anything. The host's `onError` finds the
 * original as `cause`.
 */
export function toTRPCError(error: TRPCError): TRPCError {
  const { cause } = error
  if (isCreditError(cause))
    return new TRPCError({ code: ERROR_CODES[cause.code].trpcCode, message: cause.message, cause })
  if (error.code !== 'INTERNAL_SERVER_ERROR' || cause === undefined) return error
  return new TRPCError({ code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong', cause })
}
