import { simulateReadableStream } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'

/* The SDK's own mock model: what a provider sends, without a network. In your app: openai('gpt-5'), anthropic('…'). */

type StreamPart =
  Awaited<ReturnType<MockLanguageModelV3['doStream']>>['stream'] extends ReadableStream<infer Part> ? Part : never
type GenerateResult = Awaited<ReturnType<MockLanguageModelV3['doGenerate']>>

/** Streams a text word by word, and reports these tokens at its end. */
export function speaker(text: string, tokens: { input: number; output: number }): MockLanguageModelV3 {
  const words = text.match(/\S+\s*/g) ?? []
  const chunks: StreamPart[] = [
    { type: 'text-start', id: '1' },
    ...words.map((delta) => ({ type: 'text-delta' as const, id: '1', delta })),
    { type: 'text-end', id: '1' },
    { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: usage(tokens) },
  ]
  return new MockLanguageModelV3({
    provider: 'mock',
    modelId: 'storyteller',
    doStream: async () => ({ stream: simulateReadableStream({ chunks, chunkDelayInMs: 5 }) }),
  })
}

/** Asks for the weather first, and answers with it then: two calls of the model. */
export function forecaster(): MockLanguageModelV3 {
  const common = { warnings: [], usage: usage({ input: 900, output: 60 }) }
  const asking: GenerateResult = {
    ...common,
    content: [{ type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: '{"city":"Rome"}' }],
    finishReason: { unified: 'tool-calls', raw: 'tool_calls' },
  }
  const answering: GenerateResult = {
    ...common,
    content: [{ type: 'text', text: 'It is sunny in Rome.' }],
    finishReason: { unified: 'stop', raw: 'stop' },
  }
  return new MockLanguageModelV3({ provider: 'mock', modelId: 'forecaster', doGenerate: [asking, answering] })
}

function usage({ input, output }: { input: number; output: number }): GenerateResult['usage'] {
  return {
    inputTokens: { total: input, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: undefined, reasoning: undefined },
  }
}
