import { TRANSACTION_TYPES } from '../../../src/ledger/transaction.js'
import type { ProcedureInput, Visit } from '../frame.js'
import type { Refused } from '../forms.js'

/** What the history shows, as it stands in its address. */
export interface HistoryFilter {
  /** For `listTransactions`. */
  input: ProcedureInput<'listTransactions'>
  /** For links to the same list. */
  query: Record<string, string>
  /** What of it can't be meant. */
  problem: Refused | null
}

/** Days are the console's time zone's; the last one is included. */
export function historyFilter({ query, show }: Visit, types: readonly string[]): HistoryFilter {
  const type = query.get('type') ?? ''
  const kind = query.get('kind') ?? ''
  const from = query.get('from') ?? ''
  const to = query.get('to') ?? ''
  const creditType = types.find((name) => name === type)
  const transactionType = TRANSACTION_TYPES.find((name) => name === kind)
  const first = from === '' ? undefined : show.startOfDay(from)
  const last = to === '' ? undefined : show.startOfDay(to)
  const fields = new Map<string, string>()
  if (type !== '' && creditType === undefined) fields.set('type', 'There is no such credit type')
  if (kind !== '' && transactionType === undefined) fields.set('kind', 'There is no such kind')
  if (first === null) fields.set('from', 'Must be a date')
  if (last === null) fields.set('to', 'Must be a date')
  if (first && last && first > last) fields.set('to', 'Must not lie before the first day')
  const end = last ? show.startOfDay(show.dayAfter(to)) : undefined
  return {
    query: { type, kind, from, to },
    input: { creditType, transactionType, from: first ?? undefined, to: end ?? undefined },
    problem: fields.size === 0 ? null : { status: 400, message: 'Please check what you entered.', fields },
  }
}
