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

const UNASKED: QueryState<never> = { data: undefined, error: undefined, isLoading: true, isRefreshing: false }

/** An answer that is older than this is asked for anew when somebody comes to look, in milliseconds. */
const FRESH_MS = 5_000

/** An answer that nobody looks at is kept for so long, in milliseconds. */
const KEPT_MS = 60_000

/** One question, asked once for everybody who looks at it at the same time. */
export class Query<Data> {
  readonly #ask: () => Promise<Data>
  readonly #forget: () => void
  readonly #listeners = new Set<() => void>()
  #state: QueryState<Data> = UNASKED
  #asking: Promise<void> | null = null
  /** Counts what was asked, so that a late answer never overwrites a younger one. */
  #asked = 0
  #answeredAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(ask: () => Promise<Data>, forget: () => void) {
    this.#ask = ask
    this.#forget = forget
  }

  readonly state = (): QueryState<Data> => this.#state

  readonly listen = (listener: () => void): (() => void) => {
    clearTimeout(this.#timer)
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
    this.#tell({ ...this.#state, isRefreshing: this.#state.data !== undefined })
    const asking = this.#ask().then(
      (data) => this.#answered(turn, { data, error: undefined, isLoading: false, isRefreshing: false }),
      (error: unknown) => {
        const reason = error instanceof Error ? error : new Error(String(error))
        this.#answered(turn, { data: this.#state.data, error: reason, isLoading: false, isRefreshing: false })
      },
    )
    this.#asking = asking
    return asking
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

/** All questions of one provider. */
export class QueryCache {
  readonly #queries = new Map<string, Query<unknown>>()

  /** The question of this name and input; `ask` is used when it is new. */
  query<Data>(name: string, input: unknown, ask: () => Promise<Data>): Query<Data> {
    const key = `${name} ${JSON.stringify(input ?? null)}`
    const known = this.#queries.get(key)
    // Under one key stands one procedure's answer to one input.
    if (known !== undefined) return known as Query<Data>
    const query = new Query(ask, () => this.#queries.delete(key))
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
