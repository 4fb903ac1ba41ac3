import { OutcomeUnknownError, UnavailableError } from '../../../src/errors.js'

/** What goes wrong with the next matching call. Default: it is refused, and nothing happens. */
export interface MemoryFailure {
  /** Only this method: `createCheckout`, `translate`, `records.payments`. Default any. */
  call?: string
  /** How many calls; default 1. */
  times?: number
  /** Carry the call out and lose the answer. */
  afterEffect?: boolean
  /** Never answer: the caller gives up after `timeoutMs`. */
  hang?: boolean
}

/** The failures still to come. */
export class MemoryFailures {
  readonly #planned: { failure: MemoryFailure; left: number }[] = []

  constructor(private readonly timeoutMs: number) {}

  plan(failure: MemoryFailure): void {
    this.#planned.push({ failure, left: failure.times ?? 1 })
  }

  clear(): void {
    this.#planned.length = 0
  }

  /** Do the work, unless the call is to go wrong. Answers are copies: nobody changes what the service knows. */
  async run<R>(call: string, work: () => R | Promise<R>): Promise<R> {
    const failure = this.#take(call)
    if (failure === undefined) return structuredClone(await work())
    if (failure.hang === true) await new Promise((resolve) => setTimeout(resolve, this.timeoutMs))
    if (failure.afterEffect !== true) throw new UnavailableError('memoryPayments was told to refuse this call')
    await work()
    const message = 'memoryPayments was told to lose the answer to this call'
    throw call === 'chargeOffSession' ? new OutcomeUnknownError(message) : new UnavailableError(message)
  }

  #take(call: string): MemoryFailure | undefined {
    const plan = this.#planned.find(({ failure, left }) => left > 0 && (failure.call ?? call) === call)
    if (plan === undefined) return undefined
    plan.left -= 1
    return plan.failure
  }
}
