import * as z from 'zod'
import { newRowId } from './row-id.js'
import { isCreditError } from './errors.js'
import { parseInput } from './inputs.js'
import type { AccountKey } from './ledger/account.js'
import type { CreditStore } from './ports/store.js'
import type { Session } from './session.js'
import { OPEN_TOO_LONG_MS, runTopup } from './topups.js'

/** How long `runDue` may take. What it has begun it finishes, so leave some seconds to the platform's own limit. */
export interface RunDueInput {
  /** Begin nothing new after so long, in milliseconds. Default 50 000, at most an hour. */
  deadlineMs?: number | undefined
}

const runDueInput = z.object({ deadlineMs: z.number().int().positive().max(3_600_000).default(50_000) })

/** What one `runDue` did. With `finished: false` there was more to do than time. */
export interface DueReport {
  /** Accounts in which something was due and has been written. */
  accounts: number
  /** Accounts that could not be reached now; the next run tries them again. */
  failed: number
  /** Automatic top-ups that were gone on with: settled, or begun. */
  topups: number
  /** Callbacks told, and callbacks that failed. */
  events: { delivered: number; failed: number }
  /** False: the time was over before everything was done; run again. */
  finished: boolean
}

const ACCOUNTS_PER_PAGE = 100

/** So many accounts at the same time: less than a small pool has connections. */
const ACCOUNTS_AT_ONCE = 4

/** So many transactions are summed up in one step: some twenty milliseconds. */
const TRANSACTIONS_PER_STEP = 10_000

const DEFAULT_EXPIRING_SOON_SECONDS = 7 * 86_400

/**
 * Write what time has done and nobody has written yet, account by account, each under its lock: expiries, holds whose time
 * ran out, periods of plans; then go on with automatic top-ups; then tell waiting events; last, sum up what ledgers have
 * grown by. Safe to run at the same time in any number of processes.
 */
export async function runDue<T extends string>(session: Session<T>, given: RunDueInput = {}): Promise<DueReport> {
  const { deadlineMs } = parseInput(runDueInput, given)
  const deadline = Date.now() + deadlineMs
  const { store, events } = await session.open()
  const report: DueReport = { accounts: 0, failed: 0, topups: 0, events: { delivered: 0, failed: 0 }, finished: true }
  const failed = failureOf(session, report)
  const expiringWithinSeconds = announcesEnd(session) ? expiringSoonSeconds(session) : null
  const findDue: FindDue = (page) => store.findDue({ ...page, now: session.now(), expiringWithinSeconds })
  const sweepOne: Work = async (account) => {
    if (await sweep(session, store, account)) report.accounts += 1
  }
  await forEachDue(findDue, deadline, sweepOne, failed)
  if (session.options.payments !== undefined) {
    const till = await session.till()
    const openBefore = new Date(till.clock().getTime() - OPEN_TOO_LONG_MS)
    const findTopups: FindDue = (page) => store.findDueTopups({ ...page, now: session.now(), openBefore })
    const topUp: Work = async (account) => {
      await runTopup(till, account)
      report.topups += 1
    }
    await forEachDue(findTopups, deadline, topUp, failed)
  }
  if (Date.now() >= deadline) return { ...report, finished: false }
  const told = await events.deliver(deadline)
  const finished = await rollUpUsage(store, deadline, failed)
  return { ...report, events: { delivered: told.delivered, failed: told.failed }, finished }
}

/** Keep statistics from growing slower with the ledger, account by account. False: the time was over before. */
async function rollUpUsage(store: CreditStore, deadline: number, failed: Failed): Promise<boolean> {
  let finished = true
  const rollUp: Work = async (account) => {
    while (await store.rollUpUsage(account, TRANSACTIONS_PER_STEP)) {
      if (Date.now() < deadline) continue
      finished = false
      return
    }
  }
  const all = await forEachDue((page) => store.findUsageToRollUp(page), deadline, rollUp, failed)
  return all && finished
}

/** One account that is busy or unreachable keeps no other from its turn. */
function failureOf<T extends string>({ logger }: Session<T>, report: DueReport): Failed {
  return (account, error) => {
    if (!isCreditError(error)) throw error
    report.failed += 1
    logger.warn({ err: error, ...account }, 'what is due for an account could not be done now')
  }
}

type FindDue = (page: { limit: number; after: AccountKey | null }) => Promise<AccountKey[]>
type Work = (account: AccountKey) => Promise<void>
type Failed = (account: AccountKey, error: unknown) => void

/** Page after page, some accounts at a time. False: the time was over before all of them had their turn. */
async function forEachDue(find: FindDue, deadline: number, work: Work, failed: Failed): Promise<boolean> {
  for (let after: AccountKey | null = null; ;) {
    const page: AccountKey[] = await find({ limit: ACCOUNTS_PER_PAGE, after })
    const waiting = [...page]
    const next = async (): Promise<void> => {
      for (let key = waiting.shift(); key !== undefined && Date.now() < deadline; key = waiting.shift()) {
        await work(key).catch((error: unknown) => failed(key, error))
      }
    }
    await Promise.all(Array.from({ length: ACCOUNTS_AT_ONCE }, next))
    after = page.at(-1) ?? null
    if (waiting.length > 0) return false
    if (page.length < ACCOUNTS_PER_PAGE) return true
    if (Date.now() >= deadline) return false
  }
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
