import { ifSelling } from '../customer/selling.js'
import type { Content, Page, Visit } from '../frame.js'
import { form, type Refused } from '../forms.js'
import { html } from '../html.js'
import { buttonLink, card } from '../parts.js'
import { hidden, NOT_SELLING } from './pieces.js'
import { type DayRange, rangeFields, readRange } from './ranges.js'
import { compareDayByDay } from './reconcile-run.js'
import { LATER } from '../streamed.js'

const PATH = '/admin/reconcile'
const RUN = `${PATH}/run`
const REPAIR = `${PATH}/repair`

const RULES = { defaultDays: 7, maxDays: 92 }

/** Compare the provider's records with the ledger, look at what differs, and only then repair. */
export const reconcilePage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Reconcile',
  show: (visit) => chooseRange(visit, asked(visit.query), null),
}

/** The dry run. */
export const reconcileRun: Page = {
  method: 'POST',
  path: RUN,
  role: 'admin',
  show: async (visit) => {
    const { range, problem } = readRange(visit, asked(sentDays(visit)), RULES)
    if (problem !== null) return chooseRange(visit, asked(sentDays(visit)), problem)
    return running(visit, range, false)
  },
}

/** Asks once more. */
export const repairPage: Page = {
  method: 'GET',
  path: REPAIR,
  role: 'admin',
  show: async (visit) => {
    const { range, problem } = readRange(visit, asked(visit.query), RULES)
    if (problem !== null) return chooseRange(visit, asked(visit.query), problem)
    return {
      title: 'Repair what differs?',
      lead: rangeText(visit, range),
      parent: { path: PATH, name: 'Reconcile' },
      body: card(
        'What a repair does',
        html`<div class="stack">
          <p>
            Credits that were paid for are granted, and credits whose money went back are taken or given back. What the
            provider’s word does not decide is left to you. Running it twice does nothing twice.
          </p>
          ${form(visit, {
            action: REPAIR,
            submit: 'Repair',
            look: 'danger',
            body: hidden({ from: range.fromDay, to: range.toDay }),
            beside: buttonLink(visit.path(PATH, { from: range.fromDay, to: range.toDay }), 'Cancel'),
          })}
        </div>`,
      ),
    }
  },
}

export const repairRun: Page = {
  method: 'POST',
  path: REPAIR,
  role: 'admin',
  show: async (visit) => {
    const { range, problem } = readRange(visit, asked(sentDays(visit)), RULES)
    if (problem !== null) return chooseRange(visit, asked(sentDays(visit)), problem)
    return running(visit, range, true)
  },
}

function asked(sent: { get: (name: string) => string | null }): { from: string; to: string } {
  return { from: sent.get('from') ?? '', to: sent.get('to') ?? '' }
}

function sentDays({ form: sent }: Visit): { get: (name: string) => string } {
  return { get: (name) => sent.text(name) }
}

async function chooseRange(
  visit: Visit,
  days: { from: string; to: string },
  refused: Refused | null,
): Promise<Content> {
  const title = 'Reconcile'
  const isSelling = await ifSelling(() => visit.run('listQuarantine', { limit: 1 }))
  if (isSelling === null) return { title, body: NOT_SELLING }
  const { range, problem } = readRange(visit, days, RULES)
  return {
    title,
    lead: 'Compares what the payment provider has on record with the credits in the ledger.',
    problem: refused ?? problem,
    body: card(
      'Which days',
      html`<div class="stack">
        <p class="note">
          First you see what differs; nothing is changed. Each day asks the provider for its records, so a long range
          takes a few minutes.
        </p>
        ${form(visit, { action: RUN, submit: 'Compare', body: rangeFields(visit, range, refused ?? problem) })}
      </div>`,
    ),
  }
}

function running(visit: Visit, range: DayRange, apply: boolean): Content {
  return {
    title: apply ? 'Repairing' : 'What differs',
    lead: rangeText(visit, range),
    parent: { path: PATH, name: 'Reconcile' },
    body: html`<div class="stack">${LATER}</div>`,
    later: compareDayByDay(visit, range, apply),
  }
}

function rangeText({ show }: Visit, { fromDay, toDay }: DayRange): string {
  return fromDay === toDay ? show.day(fromDay) : `${show.day(fromDay)} to ${show.day(toDay)}`
}
