import * as z from 'zod'
import * as inputs from './inputs.js'

const MAX_TTL_SECONDS = 31 * 86_400

const cacheOptions = z.object({
  ttlSeconds: z.number().min(0.001).max(MAX_TTL_SECONDS).optional(),
  timeoutMs: z.number().positive().max(60_000).optional(),
  maxEntries: z.number().int().positive().max(100_000_000).optional(),
  keyPrefix: z.string().max(255).optional(),
})

/**
 * Refuse options of a cache that can't be meant: a time to live that is no number would keep balances for ever, or never.
 *
 * @throws {InvalidInputError} Names the options.
 */
export function checkCacheOptions(options: object): void {
  inputs.parseInput(cacheOptions, options)
}
