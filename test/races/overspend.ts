import { randomUUID } from 'node:crypto'
import type { CreditService } from '../../src/index.js'
import { lockAccounts } from '../support/account-lock.js'
import { PROCESSES, type RaceOptions, type RaceOutcome, type Racers, tally } from './racers.js'

/**
 * 32 callers want 10 credits each from an account that has 100. What went wrong, in words; nothing: all is well.
 * `heldUp`: somebody holds the account until every process waits for it, so that none has seen what another one wrote.
 */
export async function overspendFaults(
  racers: Racers,
  credits: CreditService,
  url: string,
  { heldUp = false, ...options }: RaceOptions & { heldUp?: boolean } = {},
): Promise<{ faults: string[]; outcomes: RaceOutcome[] }> {
  const userId = `hot-${randomUUID()}`
  await credits.addCredits(userId, 100, 'calling', 'For 10 of 32')
  const calls = Array.from({ length: 32 }, () => ({ operation: 'deduct', input: { userId, amount: 10 } }) as const)
  const lock = heldUp ? await lockAccounts(url, userId) : null
  const racing = racers.race(url, calls, options)
  await lock?.awaited(PROCESSES)
  await lock?.release()
  const outcomes = await racing
  const { succeeded, codes } = tally(outcomes)
  const faults: string[] = []
  if (succeeded > 10) faults.push(`overspent: ${succeeded} of 10 possible uses succeeded`)
  if (succeeded < 10) faults.push(`refused too much: only ${succeeded} of 10 possible uses succeeded`)
  const { INSUFFICIENT_CREDITS: refused = 0, ...others } = codes
  if (refused !== 32 - succeeded) faults.push(`other errors: ${JSON.stringify(others)}`)
  const balance = await credits.getBalance(userId, 'calling')
  if (balance !== 100 - 10 * succeeded) faults.push(`balance ${balance} after ${succeeded} uses of 10`)
  const { violations } = await credits.verify({ userId })
  faults.push(...violations.map(({ rule, message }) => `${rule}: ${message}`))
  return { faults, outcomes }
}
