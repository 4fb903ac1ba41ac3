import { generateText, stepCountIs, tool } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { InsufficientCreditsError } from '../../src/index.js'
import { funded, type GenerateResult, usageOf, writer } from './talking.js'

describe('generateText with a metered model', () => {
  it('holds an estimate first, and charges the real tokens once', async () => {
    const { credits, userId, meter, figures, uses, violations } = await funded(100)
    const seen: unknown[] = []
    const model = new MockLanguageModelV3({
      provider: 'mock',
      modelId: 'mock-1',
      doGenerate: async () => {
        seen.push(await figures())
        return answer('Hello')
      },
    })
    const result = await generateText({ model: meter(model), prompt: 'my secret question' })
    expect(result.text).toBe('Hello')
    expect(seen).toEqual([{ balance: 90, held: 10, totalUsed: 0 }])
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
    expect(result.providerMetadata?.creditkit).toEqual({ credits: 5, uncovered: 0, estimated: false })
    const [use, ...others] = await uses()
    expect(others).toEqual([])
    expect(use).toMatchObject({ amount: -5, description: 'AI: mock-1' })
    expect(use?.metadata).toEqual({
      provider: 'mock',
      model: 'mock-1',
      inputTokens: 7,
      outputTokens: 5,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: 0,
      estimated: false,
      ending: 'finished',
    })
    expect(await violations()).toEqual([])
    const everything = JSON.stringify([await credits.listTransactions({ userId }), await credits.getHolds(userId)])
    expect(everything).not.toMatch(/secret|Hello/)
  })

  it('refuses whoever can not pay the estimate, before a token is bought', async () => {
    const { meter, figures } = await funded(4)
    const model = writer('Hello')
    const error: unknown = await generateText({ model: meter(model), prompt: 'Hi' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InsufficientCreditsError)
    expect(error).toMatchObject({ required: 10, available: 4, shortfall: 6 })
    expect(model.doGenerateCalls).toEqual([])
    expect(await figures()).toEqual({ balance: 4, held: 0, totalUsed: 0 })
  })

  it('gives the credits back when the model fails', async () => {
    const { meter, figures, uses } = await funded(100)
    const model = new MockLanguageModelV3({ doGenerate: () => Promise.reject(new Error('overloaded')) })
    await expect(generateText({ model: meter(model), prompt: 'Hi', maxRetries: 0 })).rejects.toThrow('overloaded')
    expect(await figures()).toEqual({ balance: 100, held: 0, totalUsed: 0 })
    expect(await uses()).toEqual([])
  })

  it('charges an answer above its estimate as one use, as far as there are credits, and says what is missing', async () => {
    const { meter, figures, uses } = await funded(30)
    const charges: unknown[] = []
    const onCharged = ({ credits, uncovered }: { credits: number; uncovered: number }) => {
      charges.push([credits, uncovered])
    }
    await generateText({ model: meter(writer('x'.repeat(15)), { onCharged }), prompt: 'Hi' })
    expect(await figures()).toEqual({ balance: 15, held: 0, totalUsed: 15 })
    const result = await generateText({ model: meter(writer('x'.repeat(40)), { onCharged }), prompt: 'Hi' })
    expect(result.providerMetadata?.creditkit).toEqual({ credits: 15, uncovered: 25, estimated: false })
    expect(await figures()).toEqual({ balance: 0, held: 0, totalUsed: 30 })
    expect((await uses()).map(({ amount }) => amount)).toEqual([-15, -15])
    expect(charges).toEqual([
      [15, 0],
      [15, 25],
    ])
  })

  it('counts the tokens itself where the provider reports none, and says so', async () => {
    const { meter, uses } = await funded(100)
    await generateText({ model: meter(writer('Hello you', usageOf(undefined, undefined))), prompt: 'Hi' })
    const [use] = await uses()
    expect(use).toMatchObject({ amount: -9, metadata: { outputTokens: 9, estimated: true } })
    expect(use?.metadata?.inputTokens).toBeGreaterThan(2)
  })

  it('charges each step of a tool loop on its own', async () => {
    const { meter, uses, figures } = await funded(100)
    const call = { type: 'tool-call' as const, toolCallId: 'c1', toolName: 'weather', input: '{"city":"Rome"}' }
    const asking: GenerateResult = {
      ...answer(''),
      content: [call],
      finishReason: { unified: 'tool-calls', raw: undefined },
      usage: usageOf(7, 15),
    }
    const model = new MockLanguageModelV3({ doGenerate: [asking, answer('Sunny')] })
    const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: () => 'sun' })
    const creditkit = { idempotencyKey: 'chat-1' }
    const run = () =>
      generateText({
        model: meter(model),
        prompt: 'Weather?',
        tools: { weather },
        stopWhen: stepCountIs(5),
        providerOptions: { creditkit },
      })
    expect((await run()).text).toBe('Sunny')
    expect((await uses()).map(({ amount }) => amount)).toEqual([-5, -15])
    expect(await figures()).toEqual({ balance: 80, held: 0, totalUsed: 20 })
    // The whole loop again, under the same key: its first step was charged.
    await expect(run()).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN' })
    expect(model.doGenerateCalls).toHaveLength(2)
  })

  it('never tells the provider who pays', async () => {
    const { meter } = await funded(100)
    const model = writer('Hello')
    const providerOptions = { creditkit: { idempotencyKey: 'a' }, openai: { serviceTier: 'flex' } }
    await generateText({ model: meter(model), prompt: 'Hi', providerOptions })
    expect(model.doGenerateCalls[0]?.providerOptions).toEqual({ openai: { serviceTier: 'flex' } })
  })
})

function answer(text: string): GenerateResult {
  return {
    content: [{ type: 'text', text }],
    finishReason: { unified: 'stop', raw: 'stop' },
    usage: usageOf(7, text.length),
    warnings: [],
  }
}
