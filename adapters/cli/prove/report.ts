/** What `prove` found. */
export interface ProofReport {
  server: string
  seconds: number
  races: { rounds: number; callers: number; credits: number; succeeded: number; wrongRounds: number }
  crashes: {
    kills: number
    lostAnswers: number
    asked: number
    acknowledged: number
    replays: number
    lostWrites: number
    doubleEffects: number
    refusedButWritten: number
  }
  webhooks: { deliveries: number; grants: number; purchases: number }
  /** Accounts that were below 0 at any time. */
  overspends: number
  verified: { accounts: number; violations: string[] }
  /** Too few faults happened to say anything; empty: enough did. */
  tooFew: string[]
  /** Every promise held, and enough was tried. */
  holds: boolean
}

/** For people. */
export function reportText(report: ProofReport): string {
  const { races, crashes, webhooks, verified } = report
  const rows: [what: string, count: number | string, isGood: boolean | null][] = [
    ['races for the last credits', races.rounds, null],
    [`callers each, for ${races.credits} credits`, races.callers, null],
    ['races that let another number through', races.wrongRounds, races.wrongRounds === 0],
    ['clients killed at work', crashes.kills, null],
    ['answers lost after their statement', crashes.lostAnswers, null],
    ['uses asked for', crashes.asked, null],
    ['uses acknowledged', crashes.acknowledged, null],
    ['repeats that found their first result', crashes.replays, null],
    ['acknowledged writes lost', crashes.lostWrites, crashes.lostWrites === 0],
    ['double effects', crashes.doubleEffects, crashes.doubleEffects === 0],
    ['refused, and written all the same', crashes.refusedButWritten, crashes.refusedButWritten === 0],
    ['overspends', report.overspends, report.overspends === 0],
    ['webhook deliveries, at once and again', webhooks.deliveries, null],
    [`grants for ${webhooks.purchases} payments`, webhooks.grants, webhooks.grants === webhooks.purchases],
    ['accounts whose books were checked', verified.accounts, null],
    ['rules broken', verified.violations.length, verified.violations.length === 0],
  ]
  const width = Math.max(...rows.map(([what]) => what.length))
  const lines = rows.map(([what, count, isGood]) => {
    const mark = isGood === null ? ' ' : isGood ? '✓' : '✗'
    return `  ${mark} ${what.padEnd(width)}  ${typeof count === 'number' ? count.toLocaleString('en-US').padStart(9) : count}`
  })
  const verdict = report.holds
    ? 'Every promise held on your database.'
    : report.tooFew.length > 0
      ? `Nothing is proved: ${report.tooFew.join('; ')}. Try more --seconds.`
      : 'A promise was broken: please report it, with this text.'
  return [
    `creditkit prove, on ${report.server}, ${report.seconds} s`,
    '',
    ...lines,
    ...verified.violations.slice(0, 20).map((violation) => `    ${violation}`),
    '',
    verdict,
    '',
  ].join('\n')
}
