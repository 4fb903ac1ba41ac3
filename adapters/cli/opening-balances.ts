import { createReadStream, statSync } from 'node:fs'
import { isCreditError } from '../../src/errors.js'
import { addCreditsInput, canonicalUserId } from '../../src/inputs.js'
import type { UserIdType } from '../../src/ports/store.js'
import { idFromCsv } from './csv-ids.js'
import { csvRows } from './csv-rows.js'
import { WrongUsage } from './failure.js'

/** What a user starts with. */
export interface OpeningBalance {
  userId: string
  creditType: string
  /** Credits, a positive integer. */
  amount: number
}

/** A row of the source as it stands there. `place`: how a person finds it. */
export interface SourceRow {
  place: string
  userId: string
  creditType: string
  value: string
  /** Why the row can't be read; null: it can. */
  problem: string | null
  /** How much of the source has been read with it, for a progress bar. */
  done: number
}

export interface RefusedRow {
  place: string
  userId: string
  reason: string
}

/** Looks at rows one after another: which of them is an opening balance? Remembers users: about 100 MB for a million. */
export class RowCheck {
  readonly #creditTypes: ReadonlySet<string>
  readonly #userIdType: UserIdType
  readonly #idempotencyKey: (creditType: string) => string
  readonly #seen = new SeenTexts()

  constructor(
    { creditTypes, userIdType }: { creditTypes: readonly string[]; userIdType: UserIdType },
    idempotencyKey: (creditType: string) => string,
  ) {
    this.#creditTypes = new Set(creditTypes)
    this.#userIdType = userIdType
    this.#idempotencyKey = idempotencyKey
  }

  /** Null: an empty account, for which nothing is to do. */
  check({ place, userId: given, creditType, value, problem }: SourceRow): OpeningBalance | RefusedRow | null {
    const refuse = (reason: string) => ({ place, userId: given, reason })
    if (problem !== null) return refuse(problem)
    if (!this.#creditTypes.has(creditType))
      return refuse(`unknown credit type ${JSON.stringify(creditType)}; known: ${[...this.#creditTypes].join(', ')}`)
    const text = value.trim()
    if (/^-/.test(text) && Number(text) < 0) return refuse(`the balance is negative: ${text}`)
    // A column of decimals may well hold whole numbers.
    if (!/^-?\d+(\.0*)?$/.test(text)) return refuse(`the balance is no whole number: ${JSON.stringify(value)}`)
    const amount = Number(text)
    const idempotencyKey = this.#idempotencyKey(creditType)
    const checked = addCreditsInput.safeParse({
      ...{ userId: given, creditType, idempotencyKey, description: '' },
      amount: amount === 0 ? 1 : amount,
    })
    if (!checked.success)
      return refuse(checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
    let userId: string
    try {
      // One person, however the id is written.
      userId = canonicalUserId(given, this.#userIdType)
    } catch (error) {
      if (isCreditError(error, 'INVALID_INPUT')) return refuse(error.message)
      throw error
    }
    if (!this.#seen.add(`${creditType} ${userId}`))
      return refuse('this user stands there before, with this credit type')
    return amount === 0 ? null : { userId, creditType, amount }
  }
}

/** A set holds 16 million texts at most. */
const MAX_IN_SET = 16_000_000

class SeenTexts {
  readonly #sets: [Set<string>, ...Set<string>[]] = [new Set()]

  /** False: it was there. */
  add(text: string): boolean {
    if (this.#sets.some((set) => set.has(text))) return false
    if (this.#sets[0].size >= MAX_IN_SET) this.#sets.unshift(new Set())
    this.#sets[0].add(text)
    return true
  }
}

/**
 * The rows of a CSV file with a head that names `user_id`, `balance` and `credit_type`, in any order.
 *
 * @throws {WrongUsage} The head lacks one; `creditType` stands in for a missing `credit_type`.
 */
export async function* csvSource(path: string, creditType: string | undefined): AsyncGenerator<SourceRow> {
  const stream = createReadStream(path, 'utf8')
  let columns: { user: number; type: number; balance: number; count: number } | null = null
  for await (const { line, cells } of csvRows(stream)) {
    if (columns === null) {
      columns = columnsOf(cells, creditType)
      continue
    }
    yield {
      place: `line ${line}`,
      userId: idFromCsv(cells[columns.user] ?? ''),
      creditType: columns.type === -1 ? (creditType ?? '') : (cells[columns.type] ?? ''),
      value: cells[columns.balance] ?? '',
      problem: problemOf(cells, columns.count, cells[columns.user] ?? ''),
      done: stream.bytesRead,
    }
  }
  if (columns === null) throw new WrongUsage(`${path} is empty`)
}

/** What would give somebody else's credits, or others, without a word. */
function problemOf(cells: readonly string[], heads: number, userId: string): string | null {
  if (cells.length !== heads)
    return `${cells.length} cells, where the head names ${heads}: a comma in a cell needs quotes around the cell`
  if (cells.some((cell) => cell.includes('\uFFFD'))) return 'not UTF-8: save the file in that encoding'
  return userId === userId.trim() ? null : 'the user id begins or ends with a space'
}

export function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile() !== true) throw new WrongUsage(`there is no file ${path}`)
  return found.size
}

function columnsOf(head: readonly string[], creditType: string | undefined) {
  const names = head.map((name) => name.trim().toLowerCase())
  const columns = {
    user: names.indexOf('user_id'),
    type: names.indexOf('credit_type'),
    balance: names.indexOf('balance'),
    count: names.length,
  }
  if (columns.user === -1 || columns.balance === -1 || (columns.type === -1 && creditType === undefined))
    throw new WrongUsage(
      'the first line must name the columns user_id, credit_type (or pass --credit-type) and balance, with commas ' +
        'between them, not ' +
        JSON.stringify(head.join(',').slice(0, 100)),
    )
  return columns
}
