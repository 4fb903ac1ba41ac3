import type { Formats } from './formats.js'
import { html, nothing, type SafeHtml } from './html.js'
import { table } from './parts.js'

interface Series {
  name: string
  /** Of each day, in their order; not negative. */
  values: readonly number[]
}

interface BarChart {
  /** What is shown, for those who can't see it. */
  title: string
  /** UTC days, `YYYY-MM-DD`. */
  days: readonly string[]
  /** One or two. */
  series: readonly Series[]
  show: Formats
  /** A figure as text. Default: as a count. */
  figure?: (value: number) => string
}

/** The drawing is stretched to the room there is, so it holds no text: that stands around it. */
const WIDTH = 720
const HEIGHT = 180
/** More labels below the days would touch each other. */
const MAX_LABELS = 6

/** Bars per day, drawn on the server, with the same figures as a table below. */
export function barChart({ title, days, series, show, figure = show.count }: BarChart): SafeHtml {
  const scale = ceiling(Math.max(1, ...series.flatMap(({ values }) => values)))
  const line = (y: number) => html`<line class="axis" x1="0" x2="${WIDTH}" y1="${y}" y2="${y}" />`
  const dayNames = labelled(days).map((day) => html`<span>${show.day(day)}</span>`)
  return html`<figure class="chart">
    ${series.length < 2 ? nothing : legend(series)}
    <p class="chart-scale" aria-hidden="true">${figure(scale)}</p>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="${title}. The figures are in the table below."
    >
      ${line(0)} ${line(HEIGHT / 2)} ${line(HEIGHT)} ${bars({ days, series, show, figure, scale })}
    </svg>
    <div class="chart-days" aria-hidden="true">${dayNames}</div>
    <details>
      <summary>Show as a table</summary>
      ${figures({ title, days, series, show, figure })}
    </details>
  </figure>`
}

function bars(known: Omit<Required<BarChart>, 'title'> & { scale: number }): SafeHtml[] {
  const { days, series, show, figure, scale } = known
  const slot = WIDTH / Math.max(1, days.length)
  const gap = Math.min(8, slot * 0.25)
  const width = (slot - gap) / series.length
  return series.flatMap(({ name, values }, which) =>
    values.map((value, index) => {
      if (value === 0) return nothing
      // What is there can be seen, however small it is.
      const height = Math.max(2, (value / scale) * HEIGHT)
      const x = short(index * slot + gap / 2 + which * width)
      const y = short(HEIGHT - height)
      const look = which === 0 ? 'bar' : 'bar second'
      const text = `${name}, ${show.day(days[index] ?? '')}: ${figure(value)}`
      return html`<rect class="${look}" x="${x}" y="${y}" width="${short(width)}" height="${short(height)}">
        <title>${text}</title>
      </rect>`
    }),
  )
}

/** The days on which there was something. */
function figures({ title, days, series, show, figure }: Required<BarChart>): SafeHtml {
  const rows = days
    .map((day, index) => ({ day, values: series.map(({ values }) => values[index] ?? 0) }))
    .filter(({ values }) => values.some((value) => value > 0))
  const columns = series.map(({ name }, which) => ({
    head: name,
    isNumber: true,
    cell: ({ values }: { values: number[] }) => figure(values[which] ?? 0),
  }))
  return table(title, [{ head: 'Day', isRowHead: true, cell: ({ day }) => show.day(day) }, ...columns], rows)
}

function legend(series: readonly Series[]): SafeHtml {
  const keys = series.map(({ name }, which) => {
    const look = which === 0 ? '' : 'second'
    return html`<span><span class="key ${look}"></span>${name}</span>`
  })
  return html`<figcaption>${keys}</figcaption>`
}

/** Days with a label: as many as there is room for, at even distances, the first and the last among them. */
function labelled(days: readonly string[]): string[] {
  const count = Math.min(MAX_LABELS, days.length)
  const places = Array.from({ length: count }, (_, index) =>
    Math.round((index * (days.length - 1)) / Math.max(1, count - 1)),
  )
  return [...new Set(places)].map((place) => days[place] ?? '')
}

/** The next figure that is easily read. */
function ceiling(highest: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(highest)) - 1)
  const step = [10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100].find((each) => each * power >= highest)
  return step === undefined ? highest : step * power
}

function short(value: number): number {
  return Math.round(value * 100) / 100
}
