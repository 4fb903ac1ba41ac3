import type { Context } from 'hono'

/**
 * DEMO ONLY, believes whatever it is told. Put your session check here, and return the id of the user it proves. Never
 * take a user id from a header, a form or a URL: whoever sends it spends that user's credits.
 */
export function signedInUser(c: Context): string {
  return c.req.header('x-user-id') ?? 'demo-user'
}
