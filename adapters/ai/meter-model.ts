import type { LanguageModelMiddleware } from 'ai'
import { type OwnOptions, takeOwnOptions } from './call-options.js'
import type { MeterOptions } from './meter-options.js'
import { meterStream } from './metered-stream.js'
import { type AskedCall, Meter } from './running-call.js'
import type { CallParams, GenerateResult, LanguageModelObject, MiddlewareModel, StreamResult } from './sdk.js'
import { contentTokens, promptTokens } from './token-count.js'
import { withCharge } from './told-charge.js'
import { reportedUsage, type TokenUsage } from './token-usage.js'

export type { LanguageModelObject } from './sdk.js'

/**
 * A model whose calls are paid in credits: `meterModel(openai('gpt-5'), { credits, userId, creditType: 'ai', price })`, for
 * `generateText`, `streamText`, agents and everything else of the AI SDK that takes a model.
 *
 * Credits are held before the model is called, more while it streams, and its real tokens are charged, once, at the end.
 * A stream ends in good order when there are no more credits: the balance never goes below 0. `generateText` and others
 * that don't stream can't be stopped on their way; what they cost above what the user has is told as `uncovered`.
 *
 * A call throws before the model is asked: `InsufficientCreditsError`; with an idempotency key, `HoldInUseError` while the
 * same call is at work, and `HoldNotOpenError` after it was charged.
 *
 * @throws {InvalidInputError} A price is not a number of credits.
 */
export function meterModel<M extends LanguageModelObject, T extends string>(
  model: M,
  options: MeterOptions<T>,
): MeteredModel<M> {
  const middleware = metering(options)
  // Models of all versions have the same two calls; what differs in their answers is read with care.
  const inner = model as MiddlewareModel
  const metered: MiddlewareModel = {
    specificationVersion: inner.specificationVersion,
    provider: inner.provider,
    modelId: inner.modelId,
    get supportedUrls() {
      return inner.supportedUrls
    },
    doGenerate: async (given) => {
      const params = await middleware.transformParams({ params: given })
      return middleware.wrapGenerate({ doGenerate: () => inner.doGenerate(params), params, model: inner })
    },
    doStream: async (given) => {
      const params = await middleware.transformParams({ params: given })
      return middleware.wrapStream({ doStream: () => inner.doStream(params), params, model: inner })
    },
  }
  const typed: unknown = metered
  return typed as MeteredModel<M>
}

/** A model of the same version as the one that was given. */
export type MeteredModel<M extends LanguageModelObject> = Extract<LanguageModelObject, Pick<M, 'specificationVersion'>>

/**
 * The same as a middleware, for `wrapLanguageModel`, `wrapProvider` and `customProvider`. Put it first, so that what other
 * middlewares answer themselves, say from a cache, is metered like the rest; put it last, and only the provider's calls are.
 */
export function creditMiddleware<T extends string>(options: MeterOptions<T>): LanguageModelMiddleware {
  return { specificationVersion: 'v3', ...metering(options) }
}

interface Metering {
  transformParams(given: { params: CallParams }): Promise<CallParams>
  wrapGenerate(given: {
    doGenerate: () => PromiseLike<GenerateResult>
    params: CallParams
    model: MiddlewareModel
  }): Promise<GenerateResult>
  wrapStream(given: {
    doStream: () => PromiseLike<StreamResult>
    params: CallParams
    model: MiddlewareModel
  }): Promise<StreamResult>
}

function metering<T extends string>(options: MeterOptions<T>): Metering {
  const meter = new Meter<T>(options)
  /** What a call said for itself, by the parameters that go on to the provider without it. */
  const ownOptions = new WeakMap<CallParams, OwnOptions>()
  const asked = (params: CallParams, model: MiddlewareModel, isStream: boolean): AskedCall => {
    const { prompt, maxOutputTokens, providerOptions, abortSignal } = params
    const inputTokens = promptTokens(params, meter.countTokens)
    const own = ownOptions.get(params) ?? {}
    return { model, own, isStream, prompt, inputTokens, maxOutputTokens, providerOptions, abortSignal }
  }
  return {
    transformParams: async ({ params: given }) => {
      const { params, own } = takeOwnOptions(given)
      if (params !== given) ownOptions.set(params, own)
      return params
    },

    wrapGenerate: async ({ doGenerate, params, model }) => {
      const running = await meter.begin(asked(params, model, false))
      let result: GenerateResult
      let usage: TokenUsage
      try {
        result = await doGenerate()
        usage = reportedUsage(result.usage, running.counted(contentTokens(result.content, meter.countTokens)))
      } catch (error) {
        await running.end(null, 'failed')
        throw error
      }
      return withCharge(result, await running.end(usage, 'finished'))
    },

    wrapStream: async ({ doStream, params, model }) => {
      const running = await meter.begin(asked(params, model, true))
      let result: StreamResult
      try {
        result = await doStream()
      } catch (error) {
        await running.end(null, 'failed')
        throw error
      }
      const { countTokens } = meter
      const { abortSignal } = params
      const { specificationVersion } = model
      const stream = meterStream(result.stream, { running, countTokens, abortSignal, specificationVersion })
      return { ...result, stream }
    },
  }
}
