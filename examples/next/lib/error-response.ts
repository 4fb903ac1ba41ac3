import { ERROR_CODES, InsufficientCreditsError, isCreditError } from 'creditkit'

/** 402 when credits are short, 400 for bad input, …; what is not ours is for Next to report. */
export function errorResponse(error: unknown): Response {
  if (!isCreditError(error)) throw error
  const { httpStatus } = ERROR_CODES[error.code]
  const shortfall = error instanceof InsufficientCreditsError ? { shortfall: error.shortfall } : {}
  return Response.json({ error: error.code, message: error.message, ...shortfall }, { status: httpStatus })
}
