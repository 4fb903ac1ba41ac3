import {
  customProvider,
  generateText,
  type LanguageModel,
  type LanguageModelMiddleware,
  streamText,
  ToolLoopAgent,
  wrapLanguageModel,
} from 'ai'
import type { MockLanguageModelV3 } from 'ai/test'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { creditMiddleware, type LanguageModelObject, meterModel } from '../../adapters/ai.js'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService } from '../../src/index.js'
import { drained, finishOf, funded, LETTERS, prompt, silent, speaker, speech, writer } from './talking.js'

type Version<V extends string> = Extract<LanguageModelObject, { readonly specificationVersion: V }>

/** A model of the SDK's fifth version, which reports flat figures. */
function oldModel(words: string[]): Version<'v2'> {
  const usage = { inputTokens: 7, outputTokens: words.join('').length, totalTokens: 12 }
  return {
    specificationVersion: 'v2',
    provider: 'mock',
    modelId: 'mock-5',
    supportedUrls: {},
    doGenerate: async () => ({
      content: [{ type: 'text', text: words.join('') }],
      finishReason: 'stop',
      usage,
      warnings: [],
    }),
    doStream: async () => ({
      stream: new ReadableStream({
        start: (controller) => {
          controller.enqueue({ type: 'text-start', id: '1' })
          for (const word of words) controller.enqueue({ type: 'text-delta', id: '1', delta: word })
          controller.enqueue({ type: 'text-end', id: '1' })
          controller.enqueue({ type: 'finish', finishReason: 'stop', usage })
          controller.close()
        },
      }),
    }),
  }
}

// The SDK warns of older models on the console.
const { AI_SDK_LOG_WARNINGS } = globalThis
beforeAll(() => {
  globalThis.AI_SDK_LOG_WARNINGS = false
})
afterAll(() => {
  globalThis.AI_SDK_LOG_WARNINGS = AI_SDK_LOG_WARNINGS
})

describe('a metered model', () => {
  it('is what it was but for the payment: name, provider, what it reads', async () => {
    const { meter } = await funded(100)
    const model = writer('Hello')
    const metered = meter(model)
    expect(metered).toMatchObject({ provider: 'mock', modelId: 'mock-1', specificationVersion: 'v3' })
    expect(await metered.supportedUrls).toEqual(await model.supportedUrls)
  })

  it('may be the model of an agent', async () => {
    const { meter, figures } = await funded(100)
    const agent = new ToolLoopAgent({ model: meter(writer('Hello')) })
    expect((await agent.generate({ prompt: 'Hi' })).text).toBe('Hello')
    expect((await figures()).totalUsed).toBe(5)
  })

  it("may be of the SDK's fifth version", async () => {
    const { credits, userId, figures } = await funded(16)
    const options = { credits, userId, logger: silent, ...LETTERS }
    const model = meterModel(oldModel(['Hel', 'lo']), options)
    expect((await generateText({ model, prompt: 'Hi' })).text).toBe('Hello')
    expect(await streamText({ model, prompt: 'Hi' }).text).toBe('Hello')
    expect(await figures()).toEqual({ balance: 6, held: 0, totalUsed: 10 })
    const short = meterModel(oldModel(['12345', '6789']), { ...options, estimate: () => 1 })
    const { stream } = await short.doStream({ prompt })
    const { parts } = await drained(stream)
    expect(parts.at(-1)).toMatchObject({
      type: 'finish',
      finishReason: 'error',
      usage: { outputTokens: 5 },
    })
    expect(await figures()).toEqual({ balance: 1, held: 0, totalUsed: 15 })
  })

  it('may be made by a middleware, for registries and custom providers', async () => {
    const { credits, userId, figures, uses } = await funded(100)
    const middleware = creditMiddleware({ credits, userId, logger: silent, ...LETTERS })
    const { model: streaming } = speaker(speech(['Hel', 'lo'], finishOf(6)))
    const writing = writer('Hello')
    const provider = customProvider({
      languageModels: {
        fast: wrapLanguageModel({ model: writing, middleware }),
        live: wrapLanguageModel({ model: streaming, middleware }),
      },
    })
    const providerOptions = { creditkit: { idempotencyKey: 'message-1' } }
    await generateText({ model: provider.languageModel('fast'), prompt: 'Hi', providerOptions })
    expect(writing.doGenerateCalls[0]?.providerOptions).toEqual({})
    await streamText({ model: provider.languageModel('live'), prompt: 'Hi' }).consumeStream()
    expect((await uses()).map(({ amount }) => amount)).toEqual([-6, -5])
    expect(await figures()).toEqual({ balance: 89, held: 0, totalUsed: 11 })
  })

  it("fits the SDK's types without casts, and its credit type is one of the service's", () => {
    const credits = new CreditService({ creditTypes: ['ai', 'images'], store: memoryStore(), cache: null })
    const { price } = LETTERS
    const model: MockLanguageModelV3 = writer('Hello')
    const metered = meterModel(model, { credits, creditType: 'ai', userId: 7, price })
    expectTypeOf(metered).toEqualTypeOf<Version<'v3'>>()
    expectTypeOf(metered).toExtend<LanguageModel>()
    expectTypeOf(meterModel(oldModel([]), { credits, creditType: 'ai', price })).toEqualTypeOf<Version<'v2'>>()
    expectTypeOf(creditMiddleware({ credits, creditType: 'ai', price })).toEqualTypeOf<LanguageModelMiddleware>()
    // @ts-expect-error There is no such credit type.
    meterModel(model, { credits, creditType: 'tea', userId: 7, price })
    // @ts-expect-error With two credit types, one must be named.
    meterModel(model, { credits, userId: 7, price })
    const onCharged = ({ transactions: [use] }: { transactions: { creditType: 'ai' | 'images' }[] }) => use?.creditType
    expect(meterModel(model, { credits, creditType: 'ai', price, onCharged }).modelId).toBe('mock-1')
  })
})
