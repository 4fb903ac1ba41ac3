/** How long a transaction may wait for its turn on a connection, in milliseconds. */
export const TURN_TIMEOUT_MS = 10_000

/**
 * Run something that may have to queue before it begins. When it has not called `begun` in time, the call ends with the
 * error of `late`; should its turn come all the same, `begun` throws that error, so that nothing is done.
 */
export function begunInTime<T>(
  run: (begun: () => void) => Promise<T>,
  timeoutMs: number,
  late: (timeoutMs: number) => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let failure: Error | undefined
    // Keeps a script alive while the call is pending, so that it ends with this error and not without one.
    const timer = setTimeout(() => {
      failure = late(timeoutMs)
      reject(failure)
    }, timeoutMs)
    const begun = (): void => {
      clearTimeout(timer)
      if (failure) throw failure
    }
    run(begun)
      .finally(() => clearTimeout(timer))
      .then(resolve, reject)
  })
}
