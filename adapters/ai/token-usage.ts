import type { StreamPart } from './sdk.js'

/** The tokens of one model call. */
export interface TokenUsage {
  /** All of the prompt, what was read from and written to the provider's cache included. */
  inputTokens: number
  cachedInputTokens: number
  cacheWriteTokens: number
  /** All of the answer, reasoning included. */
  outputTokens: number
  reasoningTokens: number
  /** True where the provider did not report (all of) them, and they were counted from the texts. */
  estimated: boolean
}

/** Tokens as they were counted from the texts. */
export function estimatedUsage(inputTokens: number, outputTokens: number): TokenUsage {
  return {
    inputTokens: Math.ceil(inputTokens),
    outputTokens: Math.ceil(outputTokens),
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    estimated: true,
  }
}

/**
 * What a provider reported, in the shapes of the SDK's versions: nested since its sixth, flat before. What it left out is
 * taken from `counted`.
 */
export function reportedUsage(reported: unknown, counted: TokenUsage): TokenUsage {
  const usage = asRecord(reported)
  const input = asRecord(usage.inputTokens)
  const output = asRecord(usage.outputTokens)
  const inputTokens = firstCount(usage.inputTokens, input.total)
  const outputTokens = firstCount(usage.outputTokens, output.total)
  return {
    inputTokens: inputTokens ?? counted.inputTokens,
    cachedInputTokens: firstCount(usage.cachedInputTokens, input.cacheRead) ?? 0,
    cacheWriteTokens: firstCount(input.cacheWrite) ?? 0,
    outputTokens: outputTokens ?? counted.outputTokens,
    reasoningTokens: firstCount(usage.reasoningTokens, output.reasoning) ?? 0,
    estimated: inputTokens === undefined || outputTokens === undefined,
  }
}

/** The shape that a model of this specification reports. */
export function usageForSdk(usage: TokenUsage, specificationVersion: string): FinishUsage {
  const { inputTokens, outputTokens } = usage
  if (specificationVersion === 'v2') {
    const flat: unknown = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens }
    // A model of the SDK's fifth version; the types here are those of the installed one.
    return flat as FinishUsage
  }
  return {
    inputTokens: { total: inputTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: outputTokens, text: undefined, reasoning: undefined },
  }
}

type FinishUsage = Extract<StreamPart, { type: 'finish' }>['usage']

function firstCount(...values: unknown[]): number | undefined {
  // Some providers say NaN where they do not know.
  return values.find((value): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0)
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
