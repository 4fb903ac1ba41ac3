/** A call that was not made, or whose answer did not come in time: what happened to it is unknown. */
export class CacheUnavailable extends Error {}

export interface CircuitOptions {
  /** How long a caller waits for one answer, in milliseconds. */
  timeoutMs: number
  /** Whether the client is connected; undefined where it can't tell. */
  isReady: () => boolean | undefined
}

const firstPauseMs = 1000
const longestPauseMs = 5000

/**
 * Keeps a Redis that is dead, frozen or slow from slowing its callers. Every call ends within `timeoutMs`. After a
 * failure nobody asks for a second, doubling to five; then one call tries again while the others still do without.
 * A client that lost its connection is not asked at all, so nothing piles up in its offline queue.
 */
export class Circuit {
  readonly #options: CircuitOptions
  #wasReady = false
  #pauseMs = 0
  #openUntil = 0
  #probing = false

  constructor(options: CircuitOptions) {
    this.#options = options
  }

  /** @throws {CacheUnavailable} It was not asked, or did not answer in time. Errors of Redis itself pass through. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#isConnected()) throw new CacheUnavailable('Redis is not connected.')
    if (performance.now() < this.#openUntil) throw new CacheUnavailable('Redis failed a moment ago.')
    const isProbe = this.#pauseMs > 0
    if (isProbe && this.#probing) throw new CacheUnavailable('Redis is being tried.')
    this.#probing = isProbe
    try {
      const result = await within(this.#options.timeoutMs, call())
      this.#close()
      return result
    } catch (error) {
      if (isAboutTheCommand(error)) this.#close()
      else this.#open()
      throw error
    } finally {
      if (isProbe) this.#probing = false
    }
  }

  /** The first connection may still be on its way; after that, a client that is not ready has lost its server. */
  #isConnected(): boolean {
    const ready = this.#options.isReady() ?? true
    this.#wasReady ||= ready
    return ready || !this.#wasReady
  }

  #open(): void {
    // Calls that were under way together fail together; they count once.
    if (performance.now() < this.#openUntil) return
    this.#pauseMs = Math.min(this.#pauseMs * 2 || firstPauseMs, longestPauseMs)
    this.#openUntil = performance.now() + this.#pauseMs
  }

  #close(): void {
    this.#pauseMs = 0
    this.#openUntil = 0
  }
}

/** Redis answered and is well; it only refuses this command: a key of another type, full memory, a replica. */
function isAboutTheCommand(error: unknown): boolean {
  return error instanceof Error && /\b(WRONGTYPE|OOM|READONLY|NOPERM|MISCONF) /.test(error.message)
}

function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new CacheUnavailable(`Redis did not answer within ${timeoutMs} ms.`))
    }, timeoutMs)
    void work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
