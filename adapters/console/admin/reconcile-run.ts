import { isCreditError } from '../../../src/errors.js'
import type { FindingKind } from '../../../src/reconciliation.js'
import type { ProcedureOutput, Visit } from '../frame.js'
import { sentence } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, buttonLink, callout, card } from '../parts.js'
import { table, userLink } from './pieces.js'
import { type DayRange, daysOf } from './ranges.js'
import { FINDING_WORDS } from './words.js'

type Report = ProcedureOutput<'reconcile'>
type Finding = Report['findings'][number]

// Two pieces of one element, which the formatter would close.
// prettier-ignore
const LIST_BEGINS = html`<section class="card" aria-labelledby="progress"><div class="card-head"><h2 id="progress">Progress</h2></div><ul class="list" aria-live="polite">`
// prettier-ignore
const LIST_ENDS = html`</ul></section>`

/** Each step looks back for what was paid late, so many short ones would ask the provider for the same again and again. */
const MAX_STEPS = 8

/** The page's pieces, while the work is done: a line after each step, then what was found in all of them. */
export async function* compareDayByDay(visit: Visit, range: DayRange, apply: boolean): AsyncGenerator<SafeHtml, void> {
  const findings = new Map<string, Finding>()
  const foreign = new Set<string>()
  let isAllOfForeign = true
  yield LIST_BEGINS
  try {
    for (const step of stepsOf(visit, range)) {
      const report = await visit.run('reconcile', { from: step.from, to: step.to, apply })
      // A later look knows more: what an earlier step repaired is not found again.
      for (const finding of report.findings) findings.set(finding.purchaseId ?? finding.reference, finding)
      for (const reference of report.foreign.examples) foreign.add(reference)
      isAllOfForeign &&= report.foreign.count === report.foreign.examples.length
      yield progressLine(visit, step, report)
    }
  } catch (error) {
    yield LIST_ENDS
    if (!isCreditError(error)) throw error
    yield callout(
      'bad',
      'It stopped here',
      html`<p>${sentence(error.message)} What was done so far stays done; running it again is safe.</p>`,
    )
    return
  }
  yield LIST_ENDS
  yield html`<div class="stack push">
    ${results(visit, range, [...findings.values()], apply)} ${foreignCard(foreign, isAllOfForeign)}
  </div>`
}

function stepsOf({ show, now }: Visit, range: DayRange): DayRange[] {
  const days = daysOf(range)
  const size = Math.ceil(days.length / MAX_STEPS)
  const steps: DayRange[] = []
  for (let index = 0; index < days.length; index += size) {
    const part = days.slice(index, index + size)
    const [fromDay = '', toDay = ''] = [part[0], part.at(-1)]
    const [from, to] = [show.startOfDay(fromDay), show.startOfDay(show.dayAfter(toDay))]
    // There is nothing yet of days to come.
    if (from !== null && to !== null && from < now) steps.push({ fromDay, toDay, from, to: to < now ? to : now })
  }
  return steps
}

const CHECKED_WORDS: readonly (readonly [keyof Report['checked'], string])[] = [
  ['checkouts', 'checkouts'],
  ['payments', 'payments'],
  ['invoices', 'invoices'],
  ['reversals', 'refunds and disputes'],
  ['purchases', 'purchases'],
  ['events', 'missed events'],
]

function progressLine({ show }: Visit, { fromDay, toDay }: DayRange, { checked, findings }: Report): SafeHtml {
  const looked = CHECKED_WORDS.filter(([name]) => checked[name] > 0).map(
    ([name, words]) => `${show.count(checked[name])} ${words}`,
  )
  const found = findings.length === 0 ? badge('Agrees', 'good') : badge(`${show.count(findings.length)} found`, 'warn')
  return html`<li>
    <span
      >${fromDay === toDay ? show.day(fromDay) : `${show.day(fromDay)} to ${show.day(toDay)}`}
      <span class="soft small">${looked.length === 0 ? 'nothing on record' : looked.join(', ')}</span></span
    >
    ${found}
  </li>`
}

function results(visit: Visit, { fromDay, toDay }: DayRange, findings: readonly Finding[], apply: boolean): SafeHtml {
  if (findings.length === 0)
    return callout('good', 'Everything agrees', html`<p>What was paid was granted, and what went back was taken.</p>`)
  const open = findings.filter(({ repaired }) => !repaired)
  const kinds = [...new Set(findings.map(({ kind }) => kind))]
  const canRepair = !apply && open.some(({ kind }) => FINDING_WORDS[kind].isRepairable)
  const repair = html`<p>
    ${buttonLink(visit.path('/admin/reconcile/repair', { from: fromDay, to: toDay }), 'Repair …', 'primary')}
  </p>`
  const summary =
    open.length === 0
      ? callout('good', 'Repaired', html`<p>All that was found is right now.</p>`)
      : callout(
          'warn',
          `${visit.show.count(open.length)} ${open.length === 1 ? 'thing differs' : 'things differ'}`,
          apply ? html`<p>They are left to you; the reasons are below.</p>` : html`<p>Nothing was changed.</p>`,
        )
  return html`${summary} ${canRepair ? repair : nothing}
  ${kinds.map((kind) =>
    kindCard(
      visit,
      kind,
      findings.filter((finding) => finding.kind === kind),
    ),
  )}`
}

function kindCard(visit: Visit, kind: FindingKind, findings: readonly Finding[]): SafeHtml {
  const { title, meaning } = FINDING_WORDS[kind]
  const unknown = html`<span class="soft">–</span>`
  return card(
    title,
    html`<div class="stack">
      <p class="note">${meaning}</p>
      ${table(
        title,
        [
          {
            head: 'At the provider',
            isRowHead: true,
            cell: ({ reference }) => html`<span class="mono">${reference}</span>`,
          },
          { head: 'User', cell: ({ userId }) => (userId === null ? unknown : userLink(visit, userId)) },
          {
            head: 'Credits',
            isNumber: true,
            cell: ({ credits }) => (credits === null ? unknown : visit.show.count(credits)),
          },
          { head: 'State', cell: ({ repaired }) => (repaired ? badge('Repaired', 'good') : badge('Differs', 'warn')) },
        ],
        findings,
      )}
    </div>`,
    { id: `finding-${kind}` },
  )
}

function foreignCard(references: ReadonlySet<string>, isAll: boolean): SafeHtml {
  if (references.size === 0) return nothing
  const count = `${isAll ? '' : 'at least '}${references.size}`
  return card(
    'Of other apps',
    html`<div class="stack">
      <p class="note">
        Paid at the same provider’s account, but not through this shop: ${count}. Nothing is wrong with them.
      </p>
      <details>
        <summary>Show their ids</summary>
        <ul class="list">
          ${[...references].map((reference) => html`<li><span class="mono">${reference}</span></li>`)}
        </ul>
      </details>
    </div>`,
  )
}
