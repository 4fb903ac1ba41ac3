import { takeOwnOptions } from './call-options.js'
import type { MeterOptions } from './meter-options.js'
import { Meter } from './running-call.js'
import type { CallParams, EmbeddingModelObject, GenerateResult } from './sdk.js'
import { withCharge } from './told-charge.js'
import { reportedUsage, type TokenUsage } from './token-usage.js'

export type { EmbeddingModelObject } from './sdk.js'

/**
 * An embedding model whose calls are paid in credits, for `embed` and `embedMany`: as `meterModel`, without streams. Only
 * `inputPerMillion` counts. `embedMany` may make several calls, and each is a use.
 *
 * @throws {InvalidInputError} A price is not a number of credits.
 */
export function meterEmbeddingModel<M extends EmbeddingModelObject, T extends string>(
  model: M,
  options: MeterOptions<T>,
): MeteredEmbeddingModel<M> {
  const meter = new Meter<T>(options)
  // Models of all versions have this call.
  const { doEmbed } = model as EmbeddingCalls
  const meteredEmbed = async (given: EmbedParams): Promise<EmbedResult> => {
    const { params, own } = takeOwnOptions(given)
    const { values, providerOptions, abortSignal } = params
    const inputTokens = Math.ceil(values.reduce<number>((sum, value) => sum + meter.countTokens(String(value)), 0))
    const { provider, modelId } = model
    const running = await meter.begin({
      model: { provider, modelId },
      own,
      isStream: false,
      prompt: values,
      inputTokens,
      maxOutputTokens: 0,
      providerOptions,
      abortSignal,
    })
    let result: EmbedResult
    let usage: TokenUsage
    try {
      result = await doEmbed.call(model, params)
      usage = reportedUsage({ inputTokens: result.usage?.tokens, outputTokens: 0 }, running.counted(0))
    } catch (error) {
      await running.end(null, 'failed')
      throw error
    }
    return withCharge(result, await running.end(usage, 'finished'))
  }
  // Everything else is the model's own, also what later versions of the SDK ask it.
  const metered: unknown = new Proxy(model, {
    get: (target, name) => (name === 'doEmbed' ? meteredEmbed : (Reflect.get(target, name, target) as unknown)),
  })
  return metered as MeteredEmbeddingModel<M>
}

/** A model of the same version as the one that was given. */
export type MeteredEmbeddingModel<M extends EmbeddingModelObject> = Extract<
  EmbeddingModelObject,
  Pick<M, 'specificationVersion'>
>

interface EmbedParams {
  values: unknown[]
  abortSignal?: AbortSignal
  providerOptions?: NonNullable<CallParams['providerOptions']>
}

interface EmbedResult {
  usage?: { tokens: number }
  providerMetadata?: GenerateResult['providerMetadata']
}

interface EmbeddingCalls {
  doEmbed: (params: EmbedParams) => PromiseLike<EmbedResult>
}
