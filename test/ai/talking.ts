import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { LanguageModelMiddleware } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'
import { type MeterOptions, meterModel } from '../../adapters/ai.js'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService } from '../../src/index.js'
import type { Logger } from '../../src/ports/logger.js'
import type { CreditStore } from '../../src/ports/store.js'
import { type StoppedClock, stoppedClock } from '../conformance/credit-store/bench.js'

type StreamResult = Awaited<ReturnType<NonNullable<LanguageModelMiddleware['wrapStream']>>>
export type StreamPart = StreamResult['stream'] extends ReadableStream<infer Part> ? Part : never
export type GenerateResult = Awaited<ReturnType<NonNullable<LanguageModelMiddleware['wrapGenerate']>>>

/** One credit a token, a letter a token, and the prompt for nothing: what comes out can be counted by eye. */
export const LETTERS = {
  price: { inputPerMillion: 0, outputPerMillion: 1_000_000 },
  countTokens: (text: string) => text.length,
  estimate: () => 10,
} as const

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** A user with so many credits, on a store of their own. */
export async function funded(
  amount: number,
  /** `clock: null`: the store's own. */
  { store = memoryStore(), clock = stoppedClock() }: { store?: CreditStore; clock?: StoppedClock | null } = {},
) {
  const credits = new CreditService({
    creditTypes: ['ai'],
    store,
    cache: null,
    logger: silent,
    ...(clock && { clock }),
  })
  const userId = `talker-${randomUUID()}`
  if (amount > 0) await credits.addCredits({ userId, amount, description: 'Welcome' })
  const meter = (model: MockLanguageModelV3, options: Partial<MeterOptions<'ai'>> = {}) =>
    meterModel(model, { credits, userId, logger: silent, ...LETTERS, ...options })
  return {
    credits,
    userId,
    clock,
    meter,
    figures: async () => {
      const { balance, held, totalUsed } = (await credits.getAllBalances(userId)).ai
      return { balance, held, totalUsed }
    },
    /** Newest first. */
    uses: async () => (await credits.listTransactions({ userId, transactionType: 'usage' })).transactions,
    violations: async () => (await credits.verify({ userId })).violations,
  }
}

export type Talk = Awaited<ReturnType<typeof funded>>

/** What a provider reports at the end of an answer. */
export function usageOf(input: number | undefined, output: number | undefined): GenerateResult['usage'] {
  return {
    inputTokens: { total: input, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: undefined, reasoning: undefined },
  }
}

export function finishOf(output: number | undefined, input: number | undefined = 7): StreamPart {
  return { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: usageOf(input, output) }
}

export const delta = (text: string): StreamPart => ({ type: 'text-delta', id: '1', delta: text })

/** The parts of an answer, whose provider reports as many tokens as there are letters. */
export function speech(words: string[], last: StreamPart | null = finishOf(words.join('').length)): StreamPart[] {
  const start: StreamPart[] = [
    { type: 'stream-start', warnings: [] },
    { type: 'text-start', id: '1' },
  ]
  return last === null
    ? [...start, ...words.map(delta)]
    : [...start, ...words.map(delta), { type: 'text-end', id: '1' }, last]
}

/** A provider's stream: one part for each that is asked for; an `Error` breaks it. `'silence'`: it says no more. */
export function provider(script: (StreamPart | Error | 'silence')[]) {
  const seen = { sent: 0, cancelled: false }
  const stream = new ReadableStream<StreamPart>(
    {
      pull: async (controller) => {
        await turn()
        const part = script[seen.sent]
        if (part === 'silence') return new Promise<void>(() => undefined)
        seen.sent += 1
        if (part === undefined) controller.close()
        else if (part instanceof Error) controller.error(part)
        else controller.enqueue(part)
        return undefined
      },
      cancel: () => {
        seen.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, seen }
}

/** The SDK's mock model, which streams this. */
export function speaker(script: (StreamPart | Error | 'silence')[]) {
  const { stream, seen } = provider(script)
  const model = new MockLanguageModelV3({ provider: 'mock', modelId: 'mock-1', doStream: { stream } })
  return { model, seen }
}

/** The SDK's mock model, which writes this. */
export function writer(text: string, usage: GenerateResult['usage'] = usageOf(7, text.length)) {
  return new MockLanguageModelV3({
    provider: 'mock',
    modelId: 'mock-1',
    doGenerate: {
      content: [{ type: 'text', text }],
      finishReason: { unified: 'stop', raw: 'stop' },
      usage,
      warnings: [],
    },
  })
}

export const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'my secret question' }] }]

/** Everything a stream has, and the error it ended with. */
export async function drained<P>(stream: ReadableStream<P>): Promise<{ parts: P[]; error: unknown }> {
  const parts: P[] = []
  try {
    for await (const part of stream) parts.push(part)
  } catch (error) {
    return { parts, error }
  }
  return { parts, error: null }
}
