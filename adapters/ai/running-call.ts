import type { CreditHold } from '../../src/credit-hold.js'
import { wholeCredits } from '../../src/ledger/price.js'
import { consoleLogger } from '../../src/ports/logger.js'
import { type Booking, CallCredits, type CallCharge } from './call-credits.js'
import { callKey, type OwnOptions, payer } from './call-options.js'
import type { MeteredCall, MeterRules } from './meter-options.js'
import { countBytes, type CountTokens } from './token-count.js'
import { pricing } from './token-price.js'
import { estimatedUsage, type TokenUsage } from './token-usage.js'

/** How a call ended; kept with its use. */
export type CallEnding = 'finished' | 'failed' | 'aborted' | 'exhausted' | 'abandoned'

/** How long a hold lives unless the host says otherwise, in seconds. */
const DEFAULT_HOLD_SECONDS = 900

/** What is held for an answer whose call names no limit of its own. */
const EXPECTED_OUTPUT_TOKENS = 1_000

/** What a model is asked, before it is. */
export interface AskedCall {
  model: { readonly provider: string; readonly modelId: string }
  /** What the call says for itself. */
  own: OwnOptions
  isStream: boolean
  /** Tells calls of one key apart. */
  prompt: unknown
  inputTokens: number
  maxOutputTokens: number | undefined
  providerOptions: Readonly<Record<string, unknown>> | undefined
  abortSignal: AbortSignal | undefined
}

/** The rules of one model, with their defaults. */
export class Meter<T extends string> {
  readonly rules: MeterRules<T> & { creditType?: string | undefined }
  readonly costOf: (usage: TokenUsage, call: MeteredCall) => number
  readonly countTokens: CountTokens

  constructor(rules: MeterRules<T> & { creditType?: string | undefined }) {
    this.rules = rules
    this.costOf = pricing(rules.price)
    this.countTokens = rules.countTokens ?? countBytes
  }

  /** Hold the credits of a call, before the model is asked. */
  async begin(asked: AskedCall): Promise<RunningCall<T>> {
    asked.abortSignal?.throwIfAborted()
    const { rules } = this
    const { model, own, isStream, inputTokens, maxOutputTokens, providerOptions = {} } = asked
    const { provider, modelId } = model
    const userId = payer(own.userId ?? rules.userId)
    const call = { userId, provider, modelId, isStream, inputTokens, maxOutputTokens, providerOptions }
    const amount = this.#estimate(call)
    const logger = rules.logger ?? consoleLogger
    const booking = this.#booking(call)
    const key = await callKey(own.idempotencyKey, asked.prompt)
    return new RunningCall(this, call, await CallCredits.begin(rules.credits, booking, { amount, key, logger }))
  }

  #estimate(call: MeteredCall): number {
    const { estimate } = this.rules
    if (estimate !== undefined) return wholeCredits(estimate(call), 'up', `a call of ${call.modelId}`)
    return this.costOf(estimatedUsage(call.inputTokens, call.maxOutputTokens ?? EXPECTED_OUTPUT_TOKENS), call)
  }

  #booking(call: MeteredCall): Booking {
    const details = this.rules.details?.(call) ?? {}
    const { expiresInSeconds = DEFAULT_HOLD_SECONDS, creditType } = this.rules
    return {
      userId: call.userId,
      creditType,
      description: details.description ?? `AI: ${call.modelId}`,
      referenceId: details.referenceId ?? null,
      referenceType: details.referenceType ?? null,
      // Never the prompt, nor anything of the answer.
      metadata: { ...details.metadata, provider: call.provider, model: call.modelId },
      actor: details.actor ?? null,
      expiresInSeconds,
    }
  }
}

/** A call whose credits are held. */
export class RunningCall<T extends string> {
  /** Asked from time to time whether the call goes on; its holds live on as long as it does. */
  isAlive: () => boolean = () => true
  readonly #meter: Meter<T>
  readonly #call: MeteredCall
  readonly #credits: CallCredits<T>
  readonly #timer: ReturnType<typeof setInterval>
  #covering: Promise<unknown> = Promise.resolve()
  #charge: Promise<CallCharge<T> | null> | null = null

  constructor(meter: Meter<T>, call: MeteredCall, credits: CallCredits<T>) {
    this.#meter = meter
    this.#call = call
    this.#credits = credits
    const { expiresInSeconds = DEFAULT_HOLD_SECONDS } = meter.rules
    this.#timer = setInterval(() => {
      if (this.isAlive()) void this.#credits.prolong()
    }, expiresInSeconds * LIFE_CHECK_MS)
    // Only Node's timers keep a process from ending; elsewhere they are numbers.
    const timer: { unref?: () => void } = this.#timer
    timer.unref?.()
  }

  /** The tokens of the prompt and of so much of an answer, as counted. */
  counted(outputTokens: number): TokenUsage {
    return estimatedUsage(this.#call.inputTokens, outputTokens)
  }

  /** Hold more, where the answer so far costs more than is held. Not null: why that can't be. */
  async cover(outputTokens: number): Promise<unknown> {
    const covering = this.#cover(outputTokens)
    this.#covering = covering
    return covering
  }

  async #cover(outputTokens: number): Promise<unknown> {
    try {
      return await this.#credits.cover(this.#meter.costOf(this.counted(outputTokens), this.#call))
    } catch (error) {
      // The host's own price function.
      return error
    }
  }

  /**
   * Charge these tokens, or nothing. The first ending counts; never rejects.
   *
   * @returns What was charged; null: nothing came of the call, or it could not be charged, which has been told.
   */
  end(usage: TokenUsage | null, ending: CallEnding): Promise<CallCharge<T> | null> {
    this.#charge ??= this.#end(usage, ending)
    return this.#charge
  }

  async #end(usage: TokenUsage | null, ending: CallEnding): Promise<CallCharge<T> | null> {
    clearInterval(this.#timer)
    await this.#covering
    if (usage === null) {
      await this.#credits.release()
      return null
    }
    const { rules } = this.#meter
    const call = this.#call
    try {
      const { estimated, ...tokens } = usage
      const cost = this.#meter.costOf(usage, call)
      const charge = { ...(await this.#credits.charge(cost, { ...tokens, estimated, ending })), usage }
      // Hooks run outside of the promise: what they throw must not reach an answer that has been given.
      queueMicrotask(() => rules.onCharged?.(charge, call))
      return charge
    } catch (error) {
      const holds: readonly CreditHold<T>[] = this.#credits.holds
      const message = 'a model call was answered, but could not be charged; its holds are kept until they end'
      const logger = rules.logger ?? consoleLogger
      logger.error({ err: error, holdIds: holds.map(({ id }) => id) }, message)
      queueMicrotask(() => rules.onError?.(error, holds, call))
      return null
    }
  }
}

/** How often it is looked whether a call goes on: three times in the life of its holds. */
const LIFE_CHECK_MS = 1000 / 3
