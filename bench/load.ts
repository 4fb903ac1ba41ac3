import { type Sample, toSample } from './statistics.js'

/** How long and how often. */
export interface Effort {
  quick: boolean
  rounds: number
  warmUpMs: number
  windowMs: number
}

/** What a contender has to do: `callers` callers, each of which calls again when its call has been answered. */
export interface Load {
  callers: number
  /** Whose credits the next call takes. */
  user: () => string
  /** Calls must be refused, for want of credits. */
  refused: boolean
}

/** A way to deduct one credit. Each has tables and a pool of its own. */
export interface Contender {
  name: string
  measure(load: Load, effort: Effort): Promise<Sample>
  /** Throws when what the tables hold is not what was acknowledged. */
  check(): Promise<void>
  close(): Promise<void>
}

export const ACCOUNTS = 10_000

/** A user of the ten thousand, each as often as the others. */
export function anyUser(accounts = ACCOUNTS, prefix = 'u'): () => string {
  // A generator of its own (mulberry32), so that all contenders are asked for the same users.
  let state = 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return `${prefix}${(((t ^ (t >>> 14)) >>> 0) % accounts) + 1}`
  }
}

/** A contender in this process. `deduct` answers false for a refusal; `recorded` counts the uses in its tables. */
export function contenderHere(
  name: string,
  deduct: (user: string) => Promise<boolean>,
  recorded: () => Promise<number>,
  close: () => Promise<void>,
): Contender {
  let acknowledged = 0
  return {
    name,
    measure: async (load, effort) => {
      const call = async (): Promise<void> => {
        const taken = await deduct(load.user())
        if (taken === load.refused) throw new Error(`${name}: a call was ${taken ? 'taken' : 'refused'}`)
        if (taken) acknowledged += 1
      }
      return closedLoop(call, load.callers, effort)
    },
    check: async () => {
      const found = await recorded()
      if (found !== acknowledged)
        throw new Error(`${name}: ${found} uses are recorded, ${acknowledged} were acknowledged`)
    },
    close,
  }
}

export async function closedLoop(
  call: () => Promise<unknown>,
  callers: number,
  { warmUpMs, windowMs }: Pick<Effort, 'warmUpMs' | 'windowMs'>,
): Promise<Sample> {
  await loop(call, callers, warmUpMs)
  return loop(call, callers, windowMs)
}

async function loop(call: () => Promise<unknown>, callers: number, forMs: number): Promise<Sample> {
  const latencies: number[] = []
  const start = performance.now()
  const caller = async (): Promise<void> => {
    for (let before = performance.now(); before - start < forMs;) {
      await call()
      const after = performance.now()
      latencies.push(after - before)
      before = after
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return toSample(latencies, performance.now() - start)
}
