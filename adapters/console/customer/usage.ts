import { barChart } from '../chart.js'
import type { Page, Visit } from '../frame.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { buttonLink, card, empty, stat } from '../parts.js'
import { chosenType, creditTypesOf } from './selling.js'
import { typeTabs } from './type-tabs.js'

const DAY_MS = 86_400_000
const RANGES = [7, 30, 90] as const

/** What credits were used for, by UTC day: that is how they are counted. */
export const usagePage: Page = {
  method: 'GET',
  path: '/usage',
  role: 'user',
  nav: 'Usage',
  show: async (visit) => {
    const types = await creditTypesOf(visit)
    const creditType = chosenType(visit.query.get('type'), types)
    const range = RANGES.find((days) => String(days) === visit.query.get('days')) ?? 30
    const today = Math.floor(visit.now.getTime() / DAY_MS) * DAY_MS
    const startDate = new Date(today - (range - 1) * DAY_MS)
    const usage = await visit.run('getUsageStats', { creditType, startDate })
    const days = Array.from({ length: range }, (_, index) => isoDay(startDate.getTime() + index * DAY_MS))
    const byDay = new Map(usage.daily.map((day) => [day.date, day]))
    const { show } = visit
    const name = show.creditType(creditType)
    const stats = html`<div class="stats">
      ${stat('Used', show.count(usage.totalUsed))} ${stat('Given back', show.count(usage.totalRefunded))}
      ${stat('Bought', show.count(usage.totalPurchased))}
      ${stat('Used per day', show.count(Math.round(usage.averageDaily * 10) / 10))}
      ${stat('Available now', show.count(usage.balance))}
    </div>`
    const perDay = (title: string, of: 'used' | 'added') => {
      const values = days.map((day) => byDay.get(day)?.[of] ?? 0)
      if (values.every((value) => value === 0)) return nothing
      const chart = barChart({
        ...{ title: `${name} credits ${of} per day, last ${range} days`, days, show },
        series: [{ name: title, values }],
      })
      return card(title, chart)
    }
    return {
      title: 'Usage',
      lead: 'Days begin at midnight UTC.',
      body: html`<div class="stack">
        ${typeTabs(visit, { path: '/usage', types, chosen: creditType, query: { days: range } })}
        ${card(`Last ${range} days`, stats, { actions: rangeLinks(visit, creditType, range) })}
        ${
          usage.daily.length > 0
            ? [perDay('Used per day', 'used'), perDay('Added per day', 'added')]
            : html`<div class="card">${nothingMoved(visit, creditType, range)}</div>`
        }
      </div>`,
    }
  },
}

function nothingMoved(visit: Visit, type: string, range: number): SafeHtml {
  return empty(
    `No ${visit.show.creditType(type)} credits moved in the last ${range} days`,
    'Once you use or buy credits, each day has its bar here.',
    buttonLink(visit.path('/buy', { type }), 'Buy credits'),
  )
}

function rangeLinks(visit: Visit, type: string, chosen: number): SafeHtml {
  const links = RANGES.map((days) => {
    const mark = days === chosen ? html`aria-current="true"` : nothing
    return html`<li><a href="${visit.path('/usage', { type, days })}" ${mark}>${days} days</a></li>`
  })
  return html`<nav aria-label="Range">
    <ul class="tabs">
      ${links}
    </ul>
  </nav>`
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
