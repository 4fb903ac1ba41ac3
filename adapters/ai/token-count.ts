import type { CallParams, GenerateResult, StreamPart } from './sdk.js'

/** How many tokens a text is, about; fractions are fine. */
export type CountTokens = (text: string) => number

const encoder = new TextEncoder()

/** Four bytes a token: English within a tenth or two, other scripts by the bytes they take. */
export const countBytes: CountTokens = (text) => encoder.encode(text).length / 4

/** What an image or another file stands for: its own size says nothing. */
const FILE_TOKENS = 1_000

/** The tokens of all that is sent to the model: messages, tools, the answer's schema. */
export function promptTokens({ prompt, tools, responseFormat }: CallParams, count: CountTokens): number {
  return Math.ceil(tokensIn(prompt, count) + tokensIn(tools, count) + tokensIn(responseFormat, count))
}

/** The tokens of an answer's content. */
export function contentTokens(content: GenerateResult['content'], count: CountTokens): number {
  return Math.ceil(content.reduce((sum, part) => sum + partTokens(part, count), 0))
}

function partTokens(part: GenerateResult['content'][number], count: CountTokens): number {
  if (part.type === 'text' || part.type === 'reasoning') return count(part.text)
  if (part.type === 'tool-call') return count(part.toolName) + count(part.input)
  return part.type === 'file' ? FILE_TOKENS : 0
}

/** Counts an answer while it streams. */
export class AnswerCount {
  tokens = 0
  /** Has anything come that the provider bills? */
  hasContent = false
  readonly #count: CountTokens
  /** Tool calls whose input came in deltas: it must not be counted again with the call. */
  readonly #streamedCalls = new Set<string>()

  constructor(count: CountTokens) {
    this.#count = count
  }

  add(part: StreamPart): void {
    const tokens = this.#tokensOf(part)
    // Some providers begin with an empty text.
    if (tokens > 0) this.hasContent = true
    this.tokens += tokens
  }

  #tokensOf(part: StreamPart): number {
    switch (part.type) {
      case 'text-delta':
      case 'reasoning-delta':
        return this.#count(part.delta)
      case 'tool-input-start':
        this.#streamedCalls.add(part.id)
        return this.#count(part.toolName)
      case 'tool-input-delta':
        return this.#count(part.delta)
      case 'tool-call':
        return this.#streamedCalls.has(part.toolCallId) ? 0 : this.#count(part.toolName) + this.#count(part.input)
      case 'file':
        return FILE_TOKENS
      default:
        return 0
    }
  }
}

/** All the texts in a value, with the names of its fields, which stand for what frames them. */
function tokensIn(value: unknown, count: CountTokens): number {
  if (typeof value === 'string') return count(value)
  if (typeof value !== 'object') return value === undefined ? 0 : 1
  if (value === null) return 1
  if (value instanceof Uint8Array) return FILE_TOKENS
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + tokensIn(item, count), 0)
  if ('mediaType' in value) return FILE_TOKENS
  let sum = 0
  for (const [name, field] of Object.entries(value))
    if (name !== 'providerOptions' && field !== undefined) sum += count(name) + tokensIn(field, count)
  return sum
}
