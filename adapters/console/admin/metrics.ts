import { creditTypesOf } from '../customer/selling.js'
import type { Page, ProcedureOutput, Visit } from '../frame.js'
import { selectField } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { card, empty, stat } from '../parts.js'
import { filterForm, table, typeChoices, typeFilter } from './pieces.js'
import { rangeFields, readRange } from './ranges.js'

const PATH = '/admin/metrics'

const RULES = { defaultDays: 30, maxDays: 1100 }

type Metrics = ProcedureOutput<'getMetrics'>

/** Figures over all users. */
export const metricsPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Metrics',
  show: async (visit) => {
    const { query } = visit
    const types = await creditTypesOf(visit)
    const creditType = typeFilter(visit, types)
    const asked = { from: query.get('from') ?? '', to: query.get('to') ?? '' }
    const { range, problem } = readRange(visit, asked, RULES)
    const metrics = await visit.run('getMetrics', {
      from: range.from,
      to: range.to,
      ...(creditType === undefined ? {} : { creditType }),
    })
    const choices = [{ value: '', label: 'All credit types' }, ...typeChoices(visit, types)]
    const filter = html`${rangeFields(visit, range, problem)}
    ${types.length < 2 ? nothing : selectField({ name: 'type', label: 'Credit type', value: creditType, choices })}`
    return {
      title: 'Metrics',
      lead: 'Credits and sales of all users.',
      problem,
      body: html`${filterForm(visit, PATH, filter)}
        <div class="stack">${figures(visit, metrics)} ${sales(visit, metrics)}</div>`,
    }
  },
}

function figures({ show }: Visit, metrics: Metrics): SafeHtml {
  const { purchased, used, refunded, refundRate, uses, refunds, breakage, clawedBack, activeUsers } = metrics
  const { averageDailyUsage, outstanding, asOf, transactions } = metrics
  const note = (text: string | SafeHtml) => html`<p class="note">${text}</p>`
  const percent = `${show.count(Math.round(refundRate * 1000) / 10)} %`
  return html`${card(
    'Credits',
    html`<div class="stats">
      ${stat('Purchased', show.count(purchased))}
      ${stat('Used', show.count(used), note(`in ${show.count(uses)} ${uses === 1 ? 'use' : 'uses'}`))}
      ${stat('Given back', show.count(refunded), note(`in ${show.count(refunds)} ${refunds === 1 ? 'refund' : 'refunds'}`))}
      ${stat('Refund rate', percent, note('refunds per use'))}
      ${stat('Breakage', show.count(breakage), note('expired or ended unused'))}
      ${stat('Taken back', show.count(clawedBack), note('money went back'))}
    </div>`,
  )}
  ${card(
    'Users',
    html`<div class="stats">
      ${stat('Active users', show.count(activeUsers), note('used credits'))}
      ${stat('Average daily use', show.count(Math.round(averageDailyUsage * 10) / 10), note('credits per active user'))}
      ${stat('Transactions', show.count(transactions))}
    </div>`,
  )}
  ${card(
    'Outstanding',
    html`<div class="stats">
        ${stat('Paid', show.count(outstanding.paid))} ${stat('Given for free', show.count(outstanding.promotional))}
      </div>
      <p class="note push">What users could still use, as of ${show.dateTime(asOf)}: credits you owe them.</p>`,
  )}`
}

function sales(visit: Visit, { packages }: Metrics): SafeHtml {
  const { show } = visit
  if (packages.length === 0)
    return card('Packages sold', empty('Nothing was sold in these days', 'Choose other days, or another credit type.'))
  const most = Math.max(...packages.map(({ purchases }) => purchases))
  return card(
    'Packages sold',
    table(
      'Packages sold, the most often bought first',
      [
        {
          head: 'Package',
          isRowHead: true,
          cell: ({ name, packageId }) => html`<a href="${visit.path(`/admin/packages/${packageId}`)}">${name}</a>`,
        },
        { head: 'Compared', cell: ({ purchases }) => bar(purchases / most) },
        { head: 'Purchases', isNumber: true, cell: ({ purchases }) => show.count(purchases) },
        { head: 'Credits', isNumber: true, cell: ({ credits }) => show.count(credits) },
        { head: 'Revenue', isNumber: true, cell: ({ revenue }) => revenueOf(visit, revenue) },
      ],
      packages,
    ),
  )
}

/** A share of the best seller's length. Its figure stands beside it, so there is nothing to read out. */
function bar(share: number): SafeHtml {
  return html`<svg class="chart" width="180" height="16" viewBox="0 0 180 16" aria-hidden="true">
    <rect class="bar" y="4" width="${Math.max(2, Math.round(share * 180))}" height="12" rx="3" />
  </svg>`
}

/** Each currency by itself: they can't be added. */
function revenueOf({ show }: Visit, revenue: Readonly<Record<string, number>>): string {
  const sums = Object.entries(revenue).map(([currency, minor]) => show.money(minor, currency))
  return sums.length === 0 ? '–' : sums.join(' + ')
}
