import type { Report } from './report.js'
import { ALONE, HOT, MANY } from './scenarios/deducts.js'
import type { Row } from './statistics.js'

const WIDTH = 860
const LEFT = 250
const RIGHT = 90
const BAR = 16
const STEP = 22
const HEAD = 34

const PANELS = [ALONE, MANY, HOT]

/** Deductions per second, a panel for each load; plain SVG that can be read on light and on dark. */
export function chart({ rows, machine, measuredAt }: Report): string {
  let top = 56
  const panels: string[] = []
  for (const scenario of PANELS) {
    const bars = rows.filter((row) => row.scenario === scenario).toSorted((a, b) => b.opsPerSecond - a.opsPerSecond)
    panels.push(panel(scenario, bars, top))
    top += HEAD + bars.length * STEP + 14
  }
  const source = `${measuredAt.slice(0, 10)}, Node ${machine.node ?? ''}, PostgreSQL ${machine.postgres?.split(' ')[0] ?? ''}, durable commits, 127.0.0.1; npm run bench`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top + 22}" width="${WIDTH}" height="${top + 22}" role="img" aria-label="Deductions per second">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 16px }
  .load { font-weight: 600 }
  .source { font-size: 11px; fill: #59636e }
  .other { fill: #9aa4b0 }
  .ours { fill: #2f81f7 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .source { fill: #9198a1 }
    .other { fill: #6e7681 }
  }
</style>
<text class="title" x="16" y="30">Deductions per second (more is better)</text>
${panels.join('\n')}
<text class="source" x="16" y="${top + 8}">${escape(source)}</text>
</svg>
`
}

function panel(scenario: string, bars: readonly Row[], top: number): string {
  const most = Math.max(1, ...bars.map(({ opsPerSecond }) => opsPerSecond))
  const lines = bars.map(({ contender, opsPerSecond }, index) => {
    const y = top + HEAD - 12 + index * STEP
    const width = Math.max(1, ((WIDTH - LEFT - RIGHT) * opsPerSecond) / most).toFixed(1)
    const kind = contender.startsWith('creditkit') ? 'ours' : 'other'
    return `<text x="${LEFT - 10}" y="${y + 13}" text-anchor="end">${escape(contender)}</text>
<rect class="${kind}" x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="2"/>
<text x="${LEFT + Number(width) + 8}" y="${y + 13}">${Math.round(opsPerSecond).toLocaleString('en')}</text>`
  })
  return [`<text class="load" x="16" y="${top + 10}">${escape(scenario)}</text>`, ...lines].join('\n')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
