import { earliestAfter, type Grant, nextChange } from './grant.js'
import { endHold, type Hold, isOverdue } from './hold.js'
import type { Posting } from './posting.js'
import { isDue, nextPeriodAt, renewSchedule, type Schedule } from './schedule.js'

/**
 * Do what time has done to an account and nobody has written yet, in the order in which it happened: holds whose time
 * ran out, grants that ended, periods of plans that began. The result does not depend on when, or how often, this runs.
 */
export function settleDue(posting: Posting): void {
  for (let next = earliestDue(posting); next !== null; next = earliestDue(posting)) {
    posting.settleAsOf(new Date(next.at), next.settle)
  }
}

/** The first moment after `now` at which time alone changes something about these; null: there is none. */
export function nextMoment(
  { grants, holds, schedules }: { grants: Iterable<Grant>; holds: readonly Hold[]; schedules: readonly Schedule[] },
  now: Date,
): Date | null {
  return earliestAfter(now, [
    nextChange(grants, now),
    ...holds.map(({ status, expiresAt }) => (status === 'open' ? expiresAt : null)),
    ...schedules.map(nextPeriodAt),
  ])
}

interface Due {
  at: number
  /** At the same moment: first holds, so that what they release can end; then grants; then new periods. */
  rank: number
  settle: () => unknown
}

function earliestDue(posting: Posting): Due | null {
  const { now } = posting
  const holds = posting.holds
    .filter((hold) => isOverdue(hold, now))
    .map((hold) => ({
      at: hold.expiresAt.getTime(),
      rank: 0,
      settle: () => endHold(posting, hold, 'expired', hold.expiresAt),
    }))
  const grants = posting.endedGrants().map((grant) => ({
    at: (grant.voidedAt ?? grant.expiresAt ?? now).getTime(),
    rank: 1,
    settle: () => posting.writeOff(grant.id, grant.remaining, grant.voidedAt ?? grant.expiresAt),
  }))
  const schedules = posting.schedules
    .filter((schedule) => isDue(schedule, now))
    .map((schedule) => ({ at: schedule.nextAt.getTime(), rank: 2, settle: () => renewSchedule(posting, schedule) }))
  const all: Due[] = [...holds, ...grants, ...schedules]
  return all.sort((a, b) => a.at - b.at || a.rank - b.rank)[0] ?? null
}
