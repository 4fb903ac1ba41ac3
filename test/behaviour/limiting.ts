import { type CreditService, type CreditServiceOptions, LimitExceededError, type LimitOption } from '../../src/index.js'
import type { Stage } from './stage.js'

/** One use of calling credits. */
export const call = (userId: string, amount = 1) =>
  ({ userId, amount, creditType: 'calling', description: 'Call' }) as const

/** A service whose calling credits are limited. */
export function limitedBy({ service }: { service: Stage['service'] }, ...calling: LimitOption[]): CreditService {
  const options: CreditServiceOptions = { limits: { calling } }
  return service(options)
}

/** A user with 1,000 credits, limited to so many calls or credits an hour. */
export async function limited({ userId, ...stage }: Stage, max: number, of: 'calls' | 'credits' = 'calls') {
  const credits = limitedBy(stage, { max, per: 'hour', of })
  await credits.addCredits(userId, 1000, 'calling', 'Welcome')
  return credits
}

/** How much of an exhausted limit of calls, or of any of credits, is used: the refusal of a far too large use says it. */
export async function usedOf(credits: CreditService, userId: string): Promise<number> {
  const refused: unknown = await credits.deductCredits(call(userId, 999)).catch((error: unknown) => error)
  if (!(refused instanceof LimitExceededError)) throw new Error('the limit did not stand in the way')
  return refused.used
}
