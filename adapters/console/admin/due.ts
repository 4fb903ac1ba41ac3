import type { Content, Page, ProcedureOutput, Visit } from '../frame.js'
import { form } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { callout, card, facts } from '../parts.js'

const PATH = '/admin/due'

/** Browsers and proxies wait so long for a page without asking anybody, in milliseconds. */
const DEADLINE_MS = 20_000

/** What time has done and nobody has written yet: by hand what a cron job does. */
export const duePage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Due work',
  show: async (visit) => dueContent(visit, null),
}

/** The answer is the page itself; a reload finds less to do. */
export const dueAction: Page = {
  method: 'POST',
  path: PATH,
  role: 'admin',
  show: async (visit) => dueContent(visit, await visit.run('runDue', { deadlineMs: DEADLINE_MS })),
}

function dueContent(visit: Visit, report: ProcedureOutput<'runDue'> | null): Content {
  return {
    title: 'Due work',
    lead: 'Expiries, ended holds, new periods of plans, automatic top-ups and waiting events.',
    body: html`<div class="stack">
      ${report === null ? nothing : reportOf(visit, report)}
      ${card(
        'Run now',
        html`<div class="stack">
          <p>
            Your cron job does this every few minutes. Balances are right without it: it writes down what has ended,
            buys top-ups and tells your app about it. Running it beside the job is safe.
          </p>
          ${form(visit, { action: PATH, submit: report === null ? 'Run due work' : 'Run again' })}
        </div>`,
      )}
    </div>`,
  }
}

function reportOf(
  { show }: Visit,
  { accounts, failed, topups, events, finished }: ProcedureOutput<'runDue'>,
): SafeHtml {
  const isQuiet = accounts + failed + topups + events.delivered + events.failed === 0
  const tone = failed > 0 || events.failed > 0 ? 'warn' : 'good'
  const title = !finished ? 'There is more to do' : isQuiet ? 'Nothing was due' : 'Done'
  const body = finished ? nothing : html`<p>The time for one page was over. Run it again to go on.</p>`
  return html`${callout(finished ? tone : 'warn', title, body)}
  ${card(
    'What was done',
    facts([
      ['Accounts brought up to date', show.count(accounts)],
      ['Accounts that could not be reached', failed === 0 ? null : `${show.count(failed)}; the next run tries again`],
      ['Automatic top-ups gone on with', show.count(topups)],
      ['Events told', show.count(events.delivered)],
      ['Events that failed', events.failed === 0 ? null : `${show.count(events.failed)}; they are tried again`],
    ]),
  )}`
}
