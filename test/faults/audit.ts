import type { CreditService } from '../../src/index.js'
import { LIMIT } from './load.js'
import { type Call, acknowledgement, callsOf, type CreditType, isUnsettled, type Line } from './journal.js'
import {
  accountFaults,
  type Books,
  type HoldRow,
  limitFaults,
  readBooks,
  type Rows,
  type TransactionRow,
} from './books.js'

export interface Audit {
  /** What went wrong, in words; nothing: all is well. */
  faults: string[]
  totals: AuditTotals
}

export interface AuditTotals {
  asked: number
  acknowledged: number
  refused: number
  unavailable: number
  unknown: number
  /** Of calls that nobody was told about, those that were written all the same. */
  unknownWritten: number
  /** Answered with what an earlier try had written. */
  replayed: number
  /** Balances read through the cache right after a write. */
  reads: number
  lost: number
  doubled: number
  overspent: number
}

/**
 * Compare what clients asked and were told with the ledger, both ways, and the ledger with itself: by `verify`, and by
 * sums of our own. Nobody may be at work any more.
 */
export async function audit(lines: readonly Line[], rows: Rows, credits: CreditService<CreditType>): Promise<Audit> {
  const books = await readBooks(rows)
  const calls = callsOf(lines)
  const faults: string[] = []
  const asked = new Set(calls.keys())
  for (const { actor, id } of [...books.transactions, ...books.holds])
    if (actor === null || !asked.has(actor)) faults.push(`phantom: nobody asked for row ${id} of ${String(actor)}`)
  for (const call of calls.values()) faults.push(...callFaults(call, books))
  faults.push(...earlyLimits(calls, books))
  faults.push(...accountFaults(books), ...limitFaults(books), ...staleReads(lines))
  const { violations } = await credits.verify()
  faults.push(...violations.map(({ userId, rule, message }) => `verify: ${userId}: ${rule}: ${message}`))
  return { faults, totals: totalsOf(calls, books, lines, faults) }
}

/** What every call must have left behind, given all that its client was told. */
function callFaults(call: Call, books: Books): string[] {
  const { ask, tries } = call
  const faults: string[] = []
  const fault = (kind: string, what: string): void => void faults.push(`${kind}: ${ask.operation} ${ask.tag} ${what}`)
  for (const told of tries) if (told?.answer === 'failed') fault('unnamed', `failed with ${told.code}`)
  const acknowledged = acknowledgement(call)
  const isReplay = acknowledged?.replayed === true
  const wasSettled = tries.every((told) => told !== null && told.answer !== 'unknown')
  if (isReplay && wasSettled) fault('written', 'was called unavailable, and had been written')

  if (ask.operation === 'release') return [...faults, ...releaseFaults(call, books)]
  const found = ask.operation === 'hold' ? holdsOf(ask.tag, books) : rowsOf(ask.tag, books)
  const expected = expectedRows(call)
  const ids = new Set(found.map(({ id }) => id))
  if (found.length > expected.length || ids.size < found.length)
    fault('doubled', `left ${found.length} rows instead of ${expected.length}`)
  else if (found.length > 0 && found.length < expected.length)
    fault('half', `left ${found.length} rows of ${expected.length}`)
  else if (
    found.length > 0 &&
    found
      .map(({ text }) => text)
      .sort()
      .join() !== [...expected].sort().join()
  )
    fault('wrong', `left ${found.map(({ text }) => text).join()} instead of ${expected.join()}`)
  if (acknowledged !== null) {
    for (const id of acknowledged.ids) if (!ids.has(id)) fault('lost', `was acknowledged as ${id}, which is not there`)
  } else if (found.length > 0 && !isUnsettled(call)) {
    fault('written', `was answered ${tries.map((told) => told?.answer).join()}, and is there`)
  }
  // Nobody asks anything else of this hold.
  const captured = ask.operation === 'capture' ? books.holds.find(({ id }) => id === ask.holdId)?.captured : undefined
  if (captured !== undefined && captured !== (found.length > 0 ? ask.amount : 0))
    fault('half', `left a hold of which ${captured} are captured`)
  return faults
}

/** A row in few words: all that must be as it was asked for. */
function expectedRows({ ask }: Call): string[] {
  const { userId, creditType, amount, key } = ask
  const row = (of: string, credits: number, itsKey: string | null): string => rowText(of, creditType, credits, itsKey)
  switch (ask.operation) {
    case 'add':
    case 'refund':
      return [row(userId, amount, key)]
    case 'transfer':
      return [row(userId, -amount, key), row(ask.toUserId, amount, null)]
    case 'deductMany':
      return ask.items.map((item, index) => row(item.userId, -item.amount, key === null ? null : `${key}/${index}`))
    case 'hold':
      return [row(userId, amount, null)]
    case 'deduct':
    case 'capture':
      return [row(userId, -amount, key)]
    case 'release':
      return []
  }
}

function rowText(userId: string, creditType: string, amount: number, key: string | null): string {
  return `${userId} ${creditType} ${amount} ${String(key)}`
}

function rowsOf(tag: string, { transactionsByActor }: Books): { id: string; text: string }[] {
  const rows: readonly TransactionRow[] = transactionsByActor.get(tag) ?? []
  return rows.map(({ id, userId, creditType, amount, key }) => ({ id, text: rowText(userId, creditType, amount, key) }))
}

function holdsOf(tag: string, { holdsByActor }: Books): { id: string; text: string }[] {
  const rows: readonly HoldRow[] = holdsByActor.get(tag) ?? []
  return rows.map(({ id, userId, creditType, amount }) => ({ id, text: rowText(userId, creditType, amount, null) }))
}

/** A release leaves no row: the hold itself tells. */
function releaseFaults(call: Call, { holds }: Books): string[] {
  if (call.ask.operation !== 'release') return []
  const { tag, holdId } = call.ask
  const hold = holds.find(({ id }) => id === holdId)
  const isReleased = hold?.status === 'released'
  if (acknowledgement(call) !== null)
    return isReleased ? [] : [`lost: release ${tag} was acknowledged, and its hold is ${String(hold?.status)}`]
  return isReleased && !isUnsettled(call) ? [`written: release ${tag} was not done, and its hold is released`] : []
}

/** Who was told that the limit is reached has used all of it: a call that was undone has used nothing. */
function earlyLimits(calls: ReadonlyMap<string, Call>, { transactions }: Books): string[] {
  const isTold = ({ tries }: Call): boolean =>
    tries.some((told) => told?.answer === 'refused' && told.code === 'LIMIT_EXCEEDED')
  const limited = new Set([...calls.values()].filter(isTold).map(({ ask }) => ask.userId))
  return [...limited].flatMap((userId) => {
    const uses = transactions.filter((row) => row.userId === userId && row.type === 'usage').length
    return uses < LIMIT ? [`limit: ${userId} was refused after ${uses} calls of ${LIMIT}`] : []
  })
}

/** Nobody else writes to these accounts: after an acknowledged write, its balance is the only right answer. */
function staleReads(lines: readonly Line[]): string[] {
  return lines.flatMap((line) =>
    line.kind === 'read' && line.balance !== line.expected
      ? [`stale: ${line.userId} was shown ${line.balance} after ${line.expected} had been acknowledged`]
      : [],
  )
}

function totalsOf(
  calls: ReadonlyMap<string, Call>,
  { transactionsByActor, holdsByActor }: Books,
  lines: readonly Line[],
  faults: readonly string[],
): AuditTotals {
  const all = [...calls.values()]
  const tries = all.flatMap((call) => call.tries)
  const count = (answer: string): number => tries.filter((told) => told?.answer === answer).length
  const kinds = (...names: string[]): number => faults.filter((text) => names.includes(text.split(':')[0] ?? '')).length
  return {
    asked: tries.length,
    acknowledged: count('acknowledged'),
    refused: count('refused'),
    unavailable: count('unavailable'),
    unknown: count('unknown') + tries.filter((told) => told === null).length,
    unknownWritten: all.filter(
      (call) => isUnsettled(call) && (transactionsByActor.has(call.ask.tag) || holdsByActor.has(call.ask.tag)),
    ).length,
    replayed: all.filter((call) => acknowledgement(call)?.replayed === true).length,
    reads: lines.filter(({ kind }) => kind === 'read').length,
    lost: kinds('lost', 'half'),
    doubled: kinds('doubled', 'written', 'phantom', 'wrong'),
    overspent: kinds('overspent', 'chain', 'limit'),
  }
}
