import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/index.js'
import type { MeteredCall, TokenUsage } from '../../adapters/ai.js'
import { promptTokens } from '../../adapters/ai/token-count.js'
import { reportedUsage } from '../../adapters/ai/token-usage.js'
import { drained, finishOf, funded, prompt, speaker, speech, usageOf, writer } from './talking.js'

describe('what tokens cost', () => {
  it('is a price for a million of them, rounded up once for a call', async () => {
    const { meter, uses } = await funded(1000)
    const price = { inputPerMillion: 2_500, outputPerMillion: 10_000 }
    const charged = async (input: number, output: number) => {
      await meter(writer('Hello', usageOf(input, output)), { price }).doGenerate({ prompt })
      return (await uses())[0]?.amount
    }
    expect(await charged(1_000, 1)).toBe(-3)
    expect(await charged(100_000, 10_001)).toBe(-351)
    expect(await charged(400, 0)).toBe(-1)
  })

  it.each([
    ['cached tokens cost what fresh ones do, unless they have a price', {}, 1_000],
    ['what was read from the cache', { cachedInputPerMillion: 100_000 }, 460],
    ['what was written to the cache', { cacheWritePerMillion: 2_000_000 }, 1_300],
    ['both', { cachedInputPerMillion: 100_000, cacheWritePerMillion: 2_000_000 }, 760],
    ['at least the minimum', { minimum: 5_000 }, 5_000],
  ])('knows the cache: %s', async (_, extra, cost) => {
    const { meter, figures } = await funded(10_000)
    const usage = usageOf(1_000, 0)
    usage.inputTokens.cacheRead = 600
    usage.inputTokens.cacheWrite = 300
    const price = { inputPerMillion: 1_000_000, outputPerMillion: 1, ...extra }
    await meter(writer('', usage), { price }).doGenerate({ prompt })
    expect((await figures()).totalUsed).toBe(cost)
  })

  it("may be the host's own reckoning", async () => {
    const { meter, uses } = await funded(100)
    const seen: [TokenUsage, MeteredCall][] = []
    const price = (usage: TokenUsage, call: MeteredCall) => {
      seen.push([usage, call])
      return usage.outputTokens * 0.5
    }
    const params = { prompt, maxOutputTokens: 64, providerOptions: { openai: { serviceTier: 'flex' } } }
    await meter(writer('Hello'), { price }).doGenerate(params)
    expect((await uses())[0]?.amount).toBe(-3)
    const [usage, call] = seen.at(-1) ?? []
    expect(usage).toMatchObject({ inputTokens: 7, outputTokens: 5, estimated: false })
    expect(call).toMatchObject({
      provider: 'mock',
      modelId: 'mock-1',
      isStream: false,
      maxOutputTokens: 64,
      providerOptions: { openai: { serviceTier: 'flex' } },
    })
    expect(JSON.stringify(call)).not.toContain('secret')
  })

  it('is held for the prompt and as many tokens as the call may answer', async () => {
    const { credits, userId, meter } = await funded(10_000)
    const price = { inputPerMillion: 1_000_000, outputPerMillion: 1_000_000 }
    const held = async (maxOutputTokens?: number) => {
      const { stream } = await meter(speaker(['silence']).model, { price, estimate: undefined }).doStream({
        prompt,
        ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      })
      const [hold] = await credits.getHolds(userId)
      await stream.cancel()
      return hold?.amount ?? 0
    }
    const input = promptTokens({ prompt }, (text) => text.length)
    expect(await held(50)).toBe(input + 50)
    expect(await held()).toBe(input + 1_000)
  })

  it('is nothing for a free model: nothing is held, and nothing is written', async () => {
    const { meter, uses, figures } = await funded(0)
    const price = { inputPerMillion: 0, outputPerMillion: 0 }
    const { stream } = await meter(speaker(speech(['Hello'])).model, { price, estimate: undefined }).doStream({
      prompt,
    })
    const { parts } = await drained(stream)
    expect(parts.at(-1)).toMatchObject({ providerMetadata: { creditkit: { credits: 0 } } })
    expect(await uses()).toEqual([])
    expect(await figures()).toEqual({ balance: 0, held: 0, totalUsed: 0 })
  })

  it('is charged where nothing was held for it', async () => {
    const { meter, uses } = await funded(100)
    await meter(writer('Hello'), { estimate: () => 0 }).doGenerate({ prompt })
    expect(await uses()).toMatchObject([{ amount: -5, metadata: { outputTokens: 5 } }])
    await meter(speaker(speech(['Hello'], finishOf(5))).model, { estimate: () => 0 })
      .doStream({ prompt })
      .then(({ stream }) => drained(stream))
    expect(await uses()).toMatchObject([{ amount: -5 }, { amount: -5 }])
  })

  it('is refused at once where it is not a number of credits', async () => {
    const { meter } = await funded(100)
    const wrong = () => meter(writer('Hello'), { price: { inputPerMillion: Number.NaN, outputPerMillion: 1 } })
    expect(wrong).toThrow(InvalidInputError)
    expect(wrong).toThrow('price.inputPerMillion')
    const price = () => -1
    await expect(meter(writer('Hello'), { price }).doGenerate({ prompt })).resolves.toBeDefined()
    await expect(meter(writer('Hello'), { price, estimate: undefined }).doGenerate({ prompt })).rejects.toThrow('cost')
  })

  it('keeps what the host says about a call with its use', async () => {
    const { meter, uses } = await funded(100)
    const details = ({ modelId }: MeteredCall) => ({
      description: `Chat with ${modelId}`,
      referenceId: 'chat-7',
      referenceType: 'chat',
      metadata: { team: 'blue' },
      actor: 'agent',
    })
    await meter(writer('Hello'), { details }).doGenerate({ prompt })
    expect(await uses()).toMatchObject([
      {
        description: 'Chat with mock-1',
        referenceId: 'chat-7',
        referenceType: 'chat',
        actor: 'agent',
        metadata: { team: 'blue', model: 'mock-1', outputTokens: 5 },
      },
    ])
  })
})

describe('how tokens are counted', () => {
  const letters = (text: string) => text.length

  it('counts every text of a prompt, its tools and its schema, and a file as a thousand', () => {
    const plain = promptTokens({ prompt }, letters)
    expect(plain).toBeGreaterThan('my secret question'.length)
    const file = { type: 'file' as const, data: 'A'.repeat(500_000), mediaType: 'image/png' }
    const withFile = promptTokens({ prompt: [{ role: 'user', content: [file] }] }, letters)
    expect(withFile).toBeLessThan(1_100)
    const tools = [{ type: 'function' as const, name: 'go', inputSchema: { type: 'object' as const } }]
    expect(promptTokens({ prompt, tools }, letters)).toBeGreaterThan(plain)
  })

  it("reads what models of the SDK's versions report", () => {
    const counted = { ...reportedUsage({}, { ...NOTHING, inputTokens: 11, outputTokens: 12 }) }
    expect(counted).toEqual({ ...NOTHING, inputTokens: 11, outputTokens: 12, estimated: true })
    const flat = { inputTokens: 5, outputTokens: 6, totalTokens: 11, reasoningTokens: 2, cachedInputTokens: 3 }
    const read = { ...NOTHING, inputTokens: 5, outputTokens: 6, reasoningTokens: 2, cachedInputTokens: 3 }
    expect(reportedUsage(flat, NOTHING)).toEqual(read)
    const half = reportedUsage({ inputTokens: 5, outputTokens: Number.NaN }, { ...NOTHING, outputTokens: 9 })
    expect(half).toMatchObject({ inputTokens: 5, outputTokens: 9, estimated: true })
    expect(reportedUsage(undefined, NOTHING)).toEqual({ ...NOTHING, estimated: true })
  })
})

const NOTHING: TokenUsage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  estimated: false,
}
