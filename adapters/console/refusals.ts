import { DoorRefusal } from '../../src/api/requests.js'
import { ERROR_CODES, InvalidInputError, isCreditError, LimitExceededError } from '../../src/errors.js'
import type { Content } from './frame.js'
import { sentence } from './forms.js'
import { html, nothing } from './html.js'
import { buttonLink } from './parts.js'

/** The page for something that could not be done. Not `isOurs`: the host has to hear of it, and nobody else. */
export function refusalPage(
  error: unknown,
  requestId: string,
  signInUrl: string | null,
): { content: Content; isOurs: boolean; headers: Record<string, string> } {
  if (error instanceof DoorRefusal) {
    const { status, message, headers } = error
    return { content: page(status, message), isOurs: true, headers }
  }
  if (!isCreditError(error)) return { content: hidden(requestId), isOurs: false, headers: {} }
  const status = ERROR_CODES[error.code].httpStatus
  if (status === 500) return { content: hidden(requestId, error.code), isOurs: false, headers: {} }
  const signIn = status === 401 && signInUrl !== null ? buttonLink(signInUrl, 'Sign in', 'primary') : nothing
  const message = status === 403 ? 'Your account may not open this page' : messageOf(error)
  const headers: Record<string, string> =
    error instanceof LimitExceededError ? { 'retry-after': String(error.retryAfterSeconds) } : {}
  return { content: page(status, message, signIn), isOurs: true, headers }
}

const TITLES: Record<number, string> = {
  401: 'Please sign in',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible',
  429: 'Too many requests',
  503: 'Not available right now',
}

function page(status: number, message: string, action = nothing): Content {
  return {
    title: TITLES[status] ?? 'That did not work',
    status,
    body: html`<div class="card stack">
      <p>${sentence(message)}</p>
      ${action}
    </div>`,
  }
}

/** Nothing but an id to ask about, and the code where the host's own set-up is wrong. */
function hidden(requestId: string, code?: string): Content {
  return {
    title: 'Something went wrong',
    status: 500,
    body: html`<div class="card stack">
      <p>It is not your fault, and we have been told. If you ask us about it, please name this id:</p>
      <p class="mono">${requestId}</p>
      ${code === undefined ? nothing : html`<p class="note">${code}</p>`}
    </div>`,
  }
}

/** What is wrong with an address, field by field, without the words for programmers. */
function messageOf(error: Error): string {
  if (!(error instanceof InvalidInputError)) return error.message
  return error.issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}
