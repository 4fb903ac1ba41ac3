/** What one look at the installation found. `failed`: something will not work; `warning`: somebody should look. */
export interface Check {
  name: string
  status: 'ok' | 'warning' | 'failed' | 'skipped'
  message: string
  /** What to do about it; null: nothing. */
  next: string | null
}

export type Finding = Omit<Check, 'name'>

/** One thing looked at: a failure is a finding, not the end of the visit. */
export async function look(name: string, work: () => Promise<Finding>): Promise<Check> {
  try {
    return { name, ...(await work()) }
  } catch (error) {
    return { name, ...failed(messageOf(error), null) }
  }
}

/** With what lies behind it: our own messages leave the driver's words out, which name a host or a role at most. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  const reason = cause instanceof Error ? reasonOf(cause) : ''
  return reason === '' || message.includes(reason) ? message : `${message}: ${reason}`
}

/** Of an attempt at several addresses, the first; Drizzle's own words are the statement. */
function reasonOf(error: Error): string {
  if (error.cause instanceof Error) return reasonOf(error.cause)
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error.message
}

export const ok = (message: string): Finding => ({ status: 'ok', message, next: null })
export const warning = (message: string, next: string | null): Finding => ({ status: 'warning', message, next })
export const failed = (message: string, next: string | null): Finding => ({ status: 'failed', message, next })
export const skipped = (message: string): Finding => ({ status: 'skipped', message, next: null })
