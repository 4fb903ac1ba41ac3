import type { CommandDetails } from './add.js'
import type { Posting } from './posting.js'

/**
 * End a grant now: its free credits are gone, and those that holds pin go when they are released. Captures of such holds
 * go on. Voiding what is closed or voided already changes nothing; returns whether anything changed.
 */
export function voidGrant(posting: Posting, grantId: string, details: CommandDetails): boolean {
  const { open, voidedAt, remaining, held } = posting.grant(grantId)
  if (!open || voidedAt !== null || remaining + held === 0) return false
  posting.markVoided(grantId)
  posting.writeOff(grantId, remaining, null, details)
  return true
}
