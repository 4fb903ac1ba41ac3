/** A clock that moves only when told to. Pass it as `clock` wherever this package takes one. */
export interface TestClock {
  /** The current time; a new `Date` on each call. */
  now(): Date
  /**
   * Move the clock.
   *
   * @param ms Milliseconds to add; negative values move it back.
   */
  advance(ms: number): void
}

/**
 * A clock for tests: it stands still until `advance` is called.
 *
 * @param start Where it starts; the real time when left out.
 */
export function testClock(start: Date = new Date()): TestClock {
  let time = start.getTime()
  return {
    now: () => new Date(time),
    advance: (ms) => {
      if (!Number.isFinite(ms)) throw new Error(`testClock.advance: ${String(ms)} is not a number of milliseconds`)
      time += ms
    },
  }
}
