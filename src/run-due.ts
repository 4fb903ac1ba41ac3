import * as z from 'zod'
import { newRowId } from './commands.js'
import { isCreditError } from './errors.js'
import { parseInput } from './inputs.js'
import type { AccountKey } from './ledger/account.js'
import type { CreditStore } from './ports/store.js'
import type { Session } from './session.js'

export interface RunDueInput {
  /** Begin nothing new after so long, in milliseconds. Default 50 000. */
  deadlineMs?: number | undefined
}

const runDueInput = z.object({ deadlineMs: z.number().int().positive().max(3_600_000).default(50_000) })

export interface DueReport {
  /** Accounts in which something was due and has been written. */
  accounts: number
  /** Accounts that could not be reached now; the next run tries them again. */
  failed: number
  /** Callbacks told, and callbacks that failed. */
  events: { delivered: number; failed: number }
  /** False: the time was over before everything was done; run again. */
  finished: boolean
}

const ACCOUNTS_PER_PAGE = 100

/** So many accounts at the same time: less than a small pool has connections. */
const ACCOUNTS_AT_ONCE = 4

const DEFAULT_EXPIRING_SOON_SECONDS = 7 * 86_400

/**
 * Write what time has done and nobody has written yet, account by account, each under its lock: expiries, holds whose time
 * ran out, periods of plans; then tell waiting events. Safe to run at the same time in any number of processes.
 */
export async function runDue<T extends string>(session: Session<T>, given: RunDueInput = {}): Promise<DueReport> {
  const { deadlineMs } = parseInput(runDueInput, given)
  const deadline = Date.now() + deadlineMs
  const { store, events } = await session.open()
  const report: DueReport = { accounts: 0, failed: 0, events: { delivered: 0, failed: 0 }, finished: true }
  for (let last: AccountKey | null = null; ;) {
    const page: AccountKey[] = await store.findDue({
      now: session.now(),
      expiringWithinSeconds: announcesEnd(session) ? expiringSoonSeconds(session) : null,
      limit: ACCOUNTS_PER_PAGE,
      after: last,
    })
    await sweepPage(session, store, page, deadline, report)
    last = page.at(-1) ?? null
    if (page.length < ACCOUNTS_PER_PAGE || Date.now() >= deadline) break
  }
  if (Date.now() >= deadline) return { ...report, finished: false }
  const told = await events.deliver(deadline)
  return { ...report, events: { delivered: told.delivered, failed: told.failed } }
}

async function sweepPage<T extends string>(
  session: Session<T>,
  store: CreditStore,
  page: readonly AccountKey[],
  deadline: number,
  report: DueReport,
): Promise<void> {
  const waiting = [...page]
  const work = async (): Promise<void> => {
    for (let key = waiting.shift(); key !== undefined && Date.now() < deadline; key = waiting.shift()) {
      try {
        if (await sweep(session, store, key)) report.accounts += 1
      } catch (error) {
        // One account that is busy or unreachable keeps no other from being swept.
        if (!isCreditError(error)) throw error
        report.failed += 1
        session.logger.warn({ error, ...key }, 'an account could not be swept now')
      }
    }
  }
  await Promise.all(Array.from({ length: ACCOUNTS_AT_ONCE }, work))
}

/** Settle one account. False: there was nothing to write (any more). */
async function sweep<T extends string>(session: Session<T>, store: CreditStore, account: AccountKey): Promise<boolean> {
  const { commands } = await session.open()
  const notices = announcesEnd(session)
  return commands.run(
    store,
    {
      id: newRowId(),
      userId: account.userId,
      key: null,
      request: [],
      accounts: [account],
      load: { grants: notices ? 'open' : { covering: 0 } },
    },
    ({ accounts: [state] }, now) => {
      const posting = commands.posting(state, now)
      const soon = new Date(now.getTime() + expiringSoonSeconds(session) * 1000)
      for (const { id, expiresAt, remaining } of posting.openGrants()) {
        if (notices && remaining > 0 && expiresAt !== null && expiresAt <= soon) posting.noticeExpiry(id)
      }
      const { touched } = posting
      return { result: touched, main: null, accounts: touched ? [posting.finish()] : [] }
    },
    () => false,
  )
}

function announcesEnd<T extends string>({ options }: Session<T>): boolean {
  return options.on?.expiringSoon !== undefined
}

function expiringSoonSeconds<T extends string>({ options }: Session<T>): number {
  return options.expiringSoonSeconds ?? DEFAULT_EXPIRING_SOON_SECONDS
}
