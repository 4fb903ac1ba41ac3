import { InvalidInputError } from '../../src/errors.js'
import { wholeCredits } from '../../src/ledger/price.js'
import type { MeteredCall } from './meter-options.js'
import type { TokenUsage } from './token-usage.js'

/** Credits for a million tokens, fractions allowed. A call's sum is rounded up once, to whole credits. */
export interface TokenPrice {
  inputPerMillion: number
  /** Reasoning included, as providers bill it. */
  outputPerMillion: number
  /** For tokens read from the provider's cache. Default: `inputPerMillion`. */
  cachedInputPerMillion?: number | undefined
  /** For tokens written to the provider's cache. Default: `inputPerMillion`. */
  cacheWritePerMillion?: number | undefined
  /** Credits, what a call costs at least. Default 0. */
  minimum?: number | undefined
}

/** A price list, or the host's own reckoning: credits, rounded up. It must not fall as tokens grow. */
export type PriceTokens = TokenPrice | ((usage: TokenUsage, call: MeteredCall) => number)

/** What tokens cost, in whole credits. */
export function pricing(price: PriceTokens): (usage: TokenUsage, call: MeteredCall) => number {
  const costOf = typeof price === 'function' ? price : byPriceList(price)
  return (usage, call) => wholeCredits(costOf(usage, call), 'up', `tokens of ${call.modelId}`)
}

function byPriceList(price: TokenPrice): (usage: TokenUsage) => number {
  for (const [field, value] of Object.entries(price) as [string, unknown][]) {
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value) && value >= 0))
      throw new InvalidInputError([{ path: `price.${field}`, message: 'must be a number of credits, 0 or more' }])
  }
  const { inputPerMillion, outputPerMillion, minimum = 0 } = price
  const { cachedInputPerMillion = inputPerMillion, cacheWritePerMillion = inputPerMillion } = price
  return ({ inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens }) => {
    const fresh = Math.max(0, inputTokens - cachedInputTokens - cacheWriteTokens)
    const millionths =
      fresh * inputPerMillion +
      cachedInputTokens * cachedInputPerMillion +
      cacheWriteTokens * cacheWritePerMillion +
      outputTokens * outputPerMillion
    return Math.max(minimum, millionths / 1_000_000)
  }
}
