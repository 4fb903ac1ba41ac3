/** A balance at or below which the user should hear of it. `percent`: of the last credit, the last addition's amount. */
export type Threshold = { credits: number } | { percent: number }

/** Thresholds in credits, for an account whose last addition was `lastCredit`. Rounded down. */
export function thresholdsInCredits(thresholds: readonly Threshold[], lastCredit: number): number[] {
  return thresholds.map((threshold) =>
    'credits' in threshold ? threshold.credits : Math.floor((lastCredit / 100) * threshold.percent),
  )
}

export interface AlertState {
  /** In credits. */
  thresholds: readonly number[]
  /** The highest threshold still to be announced, as the account row has it; −1: none; null: never decided before. */
  floor: number | null
  /** Available credits when the decision began, and now. */
  before: number
  after: number
}

/**
 * Which thresholds the balance has fallen to, each told once per fall: a threshold is armed while the balance is above it,
 * and again after it has recovered. Returns the new floor with them.
 */
export function crossedThresholds({ thresholds, floor, before, after }: AlertState): {
  crossed: number[]
  floor: number | null
} {
  // Another service of the host may listen: what it has armed stays so.
  if (thresholds.length === 0) return { crossed: [], floor }
  const crossed = thresholds.filter(
    (threshold) => after <= threshold && (before > threshold || (floor !== null && threshold <= floor)),
  )
  return { crossed, floor: Math.max(-1, ...thresholds.filter((threshold) => threshold < after)) }
}
