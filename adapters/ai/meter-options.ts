import type { CreditHold } from '../../src/credit-hold.js'
import type { UserId } from '../../src/credit-inputs.js'
import type { CreditTypeField } from '../../src/credit-types.js'
import type { Logger } from '../../src/ports/logger.js'
import type { CallDetails } from '../require-credits.js'
import type { CallCharge, CreditMeter } from './call-credits.js'
import type { CountTokens } from './token-count.js'
import type { PriceTokens } from './token-price.js'

/** How the calls of a model are paid. */
export type MeterOptions<T extends string> = CreditTypeField<NoInfer<T>> & MeterRules<T>

export interface MeterRules<T extends string> {
  credits: CreditMeter<T>
  /** Who pays. A call may say otherwise: `providerOptions: { creditkit: { userId } }`. */
  userId?: UserId | undefined
  /** What tokens cost, in credits. */
  price: PriceTokens
  /**
   * Credits to hold before the model is called, rounded up. Default: the price of the prompt and of `maxOutputTokens`, or
   * of 1,000 tokens where the call names no such limit. A stream that needs more holds more as it goes on.
   */
  estimate?: ((call: MeteredCall) => number) | undefined
  /** Counts the tokens of a text, where the provider has not reported them (yet). Default: its UTF-8 bytes ÷ 4. */
  countTokens?: CountTokens | undefined
  /** What is kept with the use, beside model and tokens. Default description: `AI: ` and the model's id. */
  details?: ((call: MeteredCall) => CallDetails) | undefined
  /**
   * How long held credits outlive a process that has died, in seconds. While a call runs they are prolonged. A stream that
   * nobody has read for a third of it is ended and charged. Default 900, at most 31 days.
   */
  expiresInSeconds?: number | undefined
  /** Told what a call cost. What it throws is uncaught. */
  onCharged?: ((charge: CallCharge<T>, call: MeteredCall) => void) | undefined
  /**
   * Told that a call could not be charged, which is also logged. The answer stands. `holds`: what is kept for it until it
   * ends, so that it can still be captured.
   */
  onError?: ((error: unknown, holds: readonly CreditHold<T>[], call: MeteredCall) => void) | undefined
  /** Default: the console. */
  logger?: Logger | undefined
}

/** One call of a model. A tool loop is several. */
export interface MeteredCall {
  readonly userId: UserId
  readonly provider: string
  readonly modelId: string
  readonly isStream: boolean
  /** Of the prompt, as it was counted. */
  readonly inputTokens: number
  /** The call's own limit. */
  readonly maxOutputTokens: number | undefined
  /** The call's, without our own. */
  readonly providerOptions: Readonly<Record<string, unknown>>
}
