import { appendFileSync, closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'

/** What a client wants; written down before the service hears of it. */
export type Ask = {
  /** Its name, kept in the rows it makes as their actor: so each row is traced back to one call. */
  tag: string
  key: string | null
  userId: string
  creditType: CreditType
  /** Credits. */
  amount: number
} & (
  | { operation: 'deduct' | 'add' | 'hold' }
  | { operation: 'capture' | 'release'; holdId: string }
  | { operation: 'refund'; transactionId: string }
  | { operation: 'transfer'; toUserId: string }
  | { operation: 'deductMany'; items: { userId: string; amount: number }[] }
)

export type CreditType = 'calling' | 'scraping' | 'enrichment'

/** What a client was told. `failed`: by an error that has no name of ours. */
export type Told =
  | { answer: 'acknowledged'; ids: string[]; replayed: boolean }
  | { answer: 'refused' | 'unavailable' | 'unknown' | 'failed'; code: string }

/** One line of a journal. A try without an answer after it was ended by a crash. */
export type Line =
  | { kind: 'asks'; ask: Ask }
  | { kind: 'told'; tag: string; told: Told }
  /** A balance that was read through the cache after an acknowledged write, of an account nobody else writes to. */
  | { kind: 'read'; userId: string; balance: number; expected: number }

/**
 * What one client asked and was told, in a file of its own. Every line is with the operating system before the call goes
 * on, so a killed process loses nothing of it.
 */
export class Journal {
  readonly #file: number

  constructor(readonly path: string) {
    // The last line of a killed process may have been cut off.
    const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
    if (before !== '' && !before.endsWith('\n')) appendFileSync(path, '\n')
    this.#file = openSync(path, 'a')
  }

  note(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** Everything in a journal. */
export function readJournal(path: string): Line[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        // Written by `note` above.
        return [JSON.parse(line) as Line]
      } catch {
        // Empty, or cut off by a kill: what it said was never acted on.
        return []
      }
    })
}

/** One call with all its tries; `null`: the client crashed before it was told. */
export interface Call {
  ask: Ask
  tries: (Told | null)[]
}

/** The calls of journals, by their tags. */
export function callsOf(lines: readonly Line[]): Map<string, Call> {
  const calls = new Map<string, Call>()
  for (const line of lines) {
    if (line.kind === 'asks') {
      const call = calls.get(line.ask.tag) ?? { ask: line.ask, tries: [] }
      call.tries.push(null)
      calls.set(line.ask.tag, call)
    }
    if (line.kind === 'told') {
      const tries = calls.get(line.tag)?.tries
      if (tries === undefined) throw new Error(`${line.tag} was answered and never asked`)
      tries[tries.length - 1] = line.told
    }
  }
  return calls
}

/** What was acknowledged in the end. */
export function acknowledgement({ tries }: Call): Extract<Told, { answer: 'acknowledged' }> | null {
  for (const told of tries) if (told?.answer === 'acknowledged') return told
  return null
}

/** May one of the tries have been written without anybody having been told? */
export function isUnsettled(call: Call): boolean {
  return acknowledgement(call) === null && call.tries.some((told) => told === null || told.answer === 'unknown')
}
