import { InvalidAmountError } from '../errors.js'

export type Rounding = 'up' | 'down' | 'nearest'

/** So many credits per so many units, in proportion. */
export interface UnitPrice {
  credits: number
  /** Number of units `credits` pays for. */
  per: number
}

/** Credits for a number of units, before rounding. */
export function unitCost({ credits, per }: UnitPrice, units: number): number {
  return (credits * units) / per
}

const ROUND = { up: Math.ceil, down: Math.floor, nearest: Math.round }

/**
 * A cost in whole credits. What floating point adds in the last digits does not count: 1.1 × 100 costs 110, not 111.
 *
 * @throws {InvalidAmountError} No number, negative, or too large to be counted exactly; `what` names it.
 */
export function wholeCredits(cost: unknown, round: Rounding, what: string): number {
  if (typeof cost !== 'number' || !Number.isFinite(cost) || cost < 0)
    throw new InvalidAmountError(`The cost of ${what} must be a number of credits, not ${String(cost)}`)
  // Twelve digits are exact for anything a price list says, and hide what multiplying decimals leaves behind.
  const credits = ROUND[round](Number.isInteger(cost) ? cost : Number(cost.toPrecision(12)))
  if (!Number.isSafeInteger(credits))
    throw new InvalidAmountError(`The cost of ${what} is too large to be counted exactly: ${cost}`)
  return credits
}
