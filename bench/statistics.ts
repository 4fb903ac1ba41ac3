/** What one contender did in one window. */
export interface Sample {
  opsPerSecond: number
  averageMs: number
  p50Ms: number
  p99Ms: number
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

/** Nearest rank; between the two middle values for the median of an even number of them. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN
  const upper = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  if (share !== 0.5 || sorted.length % 2 === 1) return upper
  return (upper + (sorted[sorted.length / 2 - 1] ?? upper)) / 2
}

export function toSample(latenciesMs: readonly number[], elapsedMs: number): Sample {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  return {
    opsPerSecond: (latenciesMs.length / elapsedMs) * 1000,
    averageMs: latenciesMs.reduce((sum, latency) => sum + latency, 0) / latenciesMs.length,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  }
}

/** One line of the table: the medians over all rounds. */
export interface Row extends Sample {
  scenario: string
  contender: string
}

/** Samples by scenario, contender and round. */
export class Results {
  readonly #samples = new Map<string, Map<string, Sample[]>>()

  add(scenario: string, contender: string, sample: Sample): void {
    const contenders = this.#samples.get(scenario) ?? new Map<string, Sample[]>()
    this.#samples.set(scenario, contenders)
    contenders.set(contender, [...(contenders.get(contender) ?? []), sample])
  }

  rows(): Row[] {
    return [...this.#samples].flatMap(([scenario, contenders]) =>
      [...contenders].map(([contender, samples]) => ({
        scenario,
        contender,
        opsPerSecond: median(samples.map(({ opsPerSecond }) => opsPerSecond)),
        averageMs: median(samples.map(({ averageMs }) => averageMs)),
        p50Ms: median(samples.map(({ p50Ms }) => p50Ms)),
        p99Ms: median(samples.map(({ p99Ms }) => p99Ms)),
      })),
    )
  }

  /**
   * The median of the ratios of same rounds, since the machine drifts between rounds; null when one was not measured.
   */
  ratio(
    scenario: string,
    figure: keyof Sample,
    ours: string,
    theirs: string,
    theirFigure: keyof Sample = figure,
  ): number | null {
    const contenders = this.#samples.get(scenario)
    const [above, below] = [contenders?.get(ours) ?? [], contenders?.get(theirs) ?? []]
    if (above.length === 0 || above.length !== below.length) return null
    return median(above.map((sample, round) => sample[figure] / (below[round]?.[theirFigure] ?? Number.NaN)))
  }
}
