/** The `error` object of an API answer. */
export interface ErrorBody {
  type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'
  message: string
  code?: string
  param?: string
  decline_code?: string
  advice_code?: string
  charge?: string
  payment_intent?: object
  payment_method?: object
  setup_intent?: object
}

/** What the server answers instead of an object. `status` is the HTTP status. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  /** `executed`: the call got past validation, so Stripe keeps this answer under the idempotency key. */
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    readonly executed = false,
  ) {
    super(body.message)
  }
}

/** 400: a parameter is wrong. */
export function invalidRequest(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, {
    type: 'invalid_request_error',
    message,
    ...(code !== undefined && { code }),
    ...(param !== undefined && { param }),
  })
}

/** 400: the call was understood and refused because of the object's state. Kept under the idempotency key. */
export function refused(message: string, code?: string, param?: string): ApiError {
  return new ApiError(400, invalidRequest(message, param, code).body, true)
}

/** 404 for an object named in the URL, 400 for one named in a parameter. */
export function noSuch(object: string, id: string, param: string, status: 400 | 404 = 404): ApiError {
  return new ApiError(status, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${object}: '${id}'`,
    param,
  })
}

/** 501: real Stripe has this, the local one does not. Never a bare 404, which the SDK would take for success. */
export function notImplemented(what: string): ApiError {
  return new ApiError(501, {
    type: 'api_error',
    code: 'not_implemented',
    message: `The local Stripe of creditkit/testing does not implement ${what}.`,
  })
}
