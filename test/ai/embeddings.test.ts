import { embed, embedMany } from 'ai'
import { MockEmbeddingModelV3 } from 'ai/test'
import { describe, expect, it } from 'vitest'
import { meterEmbeddingModel } from '../../adapters/ai.js'
import { funded, silent, type Talk } from './talking.js'

/** One credit a token, a letter a token. */
const price = { inputPerMillion: 1_000_000, outputPerMillion: 0 }

function embedder(fails = false, usage?: { tokens: number }) {
  return new MockEmbeddingModelV3({
    provider: 'mock',
    modelId: 'embed-1',
    maxEmbeddingsPerCall: 2,
    doEmbed: async ({ values }) => {
      if (fails) throw new Error('overloaded')
      return { embeddings: values.map(() => [1, 2]), warnings: [], ...(usage && { usage }) }
    },
  })
}

const metered = (model: MockEmbeddingModelV3, { credits, userId }: Talk) =>
  meterEmbeddingModel(model, { credits, userId, price, logger: silent, countTokens: (text) => text.length })

describe('a metered embedding model', () => {
  it('charges the tokens that the provider reports', async () => {
    const talk = await funded(100)
    const model = embedder(false, { tokens: 3 })
    const providerOptions = { creditkit: { idempotencyKey: 'page-1' } }
    const result = await embed({ model: metered(model, talk), value: 'Hello', providerOptions })
    expect(result.embedding).toEqual([1, 2])
    expect(result.providerMetadata?.creditkit).toEqual({ credits: 3, uncovered: 0, estimated: false })
    expect(model.doEmbedCalls[0]?.providerOptions).toEqual({})
    expect(await talk.uses()).toMatchObject([{ amount: -3, metadata: { model: 'embed-1', inputTokens: 3 } }])
    const again = embed({ model: metered(model, talk), value: 'Hello', providerOptions })
    await expect(again).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN' })
  })

  it('counts them where none are reported, call by call', async () => {
    const talk = await funded(100)
    const model = embedder()
    await embedMany({ model: metered(model, talk), values: ['abc', 'de', 'fghi'], maxParallelCalls: 1 })
    expect((await talk.uses()).map(({ amount }) => amount)).toEqual([-4, -5])
    expect(await talk.figures()).toEqual({ balance: 91, held: 0, totalUsed: 9 })
  })

  it('refuses whoever can not pay, and costs nothing when it fails', async () => {
    const talk = await funded(10)
    const short = embedder()
    await expect(embed({ model: metered(short, talk), value: 'x'.repeat(11) })).rejects.toMatchObject({ shortfall: 1 })
    expect(short.doEmbedCalls).toEqual([])
    const failing = embed({ model: metered(embedder(true), talk), value: 'Hello', maxRetries: 0 })
    await expect(failing).rejects.toThrow('overloaded')
    expect(await talk.figures()).toEqual({ balance: 10, held: 0, totalUsed: 0 })
  })
})
