/**
 * Work that callers at the same time share, by key. Nobody is given the result of what had begun before they asked: who
 * comes while work is under way shares the next, which begins after it. So what is read is never older than the question,
 * whoever wrote in between and whether or not we know of it.
 */
export class SharedWork<R> {
  readonly #waiting = new Map<string, Promise<R>>()
  readonly #running = new Map<string, Promise<unknown>>()

  run(key: string, work: () => Promise<R>): Promise<R> {
    const shared = this.#waiting.get(key) ?? this.#next(key, work)
    this.#waiting.set(key, shared)
    return shared
  }

  async #next(key: string, work: () => Promise<R>): Promise<R> {
    // Also without anything under way this ends only after all who ask in one go.
    await this.#running.get(key)?.catch(() => null)
    this.#waiting.delete(key)
    const running = work()
    this.#running.set(key, running)
    try {
      return await running
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key)
    }
  }
}
