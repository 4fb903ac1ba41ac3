/** What a component sees of one question. */
export interface QueryState<Data> {
  /** The answer; while a new one is on its way, the one before. */
  data: Data | undefined
  /** Why the last try failed; undefined as soon as one succeeds. */
  error: Error | undefined
  /** There is no answer yet. */
  isLoading: boolean
  /** There is an answer, and a younger one is on its way. */
  isRefreshing: boolean
}

/** Nothing is known yet, and nobody asked. */
export const UNASKED: QueryState<never> = { data: undefined, error: undefined, isLoading: true, isRefreshing: false }

/** An answer that is older than this is asked for anew when somebody comes to look, in milliseconds. */
const FRESH_MS = 5_000

/** An answer that nobody looks at is kept for so long, in milliseconds. */
const KEPT_MS = 60_000

/** One question, asked once for everybody who looks at it at the same time. */
export class Query<Data> {
  readonly #ask: () => Promise<Data>
  readonly #keep: () => void
  readonly #forget: () => void
  readonly #listeners = new Set<() => void>()
  #state: QueryState<Data> = UNASKED
  #asking: Promise<void> | null = null
  /** Counts what was asked, so that a late answer never overwrites a younger one. */
  #asked = 0
  #answeredAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `keep` is called when somebody comes to look, `forget` when nobody did for long. */
  constructor(ask: () => Promise<Data>, keep: () => void, forget: () => void) {
    this.#ask = ask
    this.#keep = keep
    this.#forget = forget
  }

  readonly state = (): QueryState<Data> => this.#state

  readonly listen = (listener: () => void): (() => void) => {
    clearTimeout(this.#timer)
    this.#keep()
    this.#listeners.add(listener)
    if (this.#asking === null && Date.now() - this.#answeredAt > FRESH_MS) void this.refetch()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#timer = setTimeout(this.#forget, KEPT_MS)
    }
  }

  get isLookedAt(): boolean {
    return this.#listeners.size > 0
  }

  /** Ask now, also when an older try is still on its way. Never rejects: what went wrong is in the state. */
  readonly refetch = (): Promise<void> => {
    const turn = ++this.#asked
    const { data: known, error } = this.#state
    this.#tell({ data: known, error, isLoading: known === undefined, isRefreshing: known !== undefined })
    // A client that throws instead of rejecting must not break who looks.
    const asking = (async () => this.#ask())().then(
      (data) =>
        this.#answered(turn, { data: this.#unchanged(data), error: undefined, isLoading: false, isRefreshing: false }),
      (error: unknown) => {
        const reason = error instanceof Error ? error : new Error(String(error))
        this.#answered(turn, { data: this.#state.data, error: reason, isLoading: false, isRefreshing: false })
      },
    )
    this.#asking = asking
    return asking
  }

  /** An equal answer is the same object as before, so that nothing that hangs on it begins anew. */
  #unchanged(data: Data): Data {
    const { data: known } = this.#state
    return known !== undefined && JSON.stringify(known) === JSON.stringify(data) ? known : data
  }

  #answered(turn: number, state: QueryState<Data>): void {
    if (turn !== this.#asked) return
    this.#asking = null
    this.#answeredAt = Date.now()
    this.#tell(state)
  }

  #tell(state: QueryState<Data>): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

/** The same text for inputs that ask the same: fields in any order, those without a value left out. */
export function keyOf(input: object): string {
  const fields = Object.entries(input).filter(([, value]) => value != null)
  return JSON.stringify(fields.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** All questions of one provider. */
export class QueryCache {
  readonly #queries = new Map<string, Query<unknown>>()

  /** The question of this name and input; `ask` is used when it is new. */
  query<Data>(name: string, input: object, ask: () => Promise<Data>): Query<Data> {
    const key = `${name} ${keyOf(input)}`
    const known = this.#queries.get(key)
    // Under one key stands one procedure's answer to one input.
    if (known !== undefined) return known as Query<Data>
    const query: Query<Data> = new Query(
      ask,
      // A refresh may have forgotten it between a component's render and its first look.
      () => {
        if (!this.#queries.has(key)) this.#queries.set(key, query)
      },
      // Only itself: another may stand under its key by now.
      () => {
        if (this.#queries.get(key) === query) this.#queries.delete(key)
      },
    )
    this.#queries.set(key, query)
    return query
  }

  /** Ask everything anew that somebody looks at, and forget the rest. */
  async refresh(): Promise<void> {
    const asked: Promise<void>[] = []
    for (const [key, query] of this.#queries) {
      if (query.isLookedAt) asked.push(query.refetch())
      else this.#queries.delete(key)
    }
    await Promise.all(asked)
  }
}
