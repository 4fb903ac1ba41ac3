import type { Content, Page, ProcedureOutput, Visit } from '../frame.js'
import { attempt, form, type Refused, textField } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { buttonLink, callout, card, facts } from '../parts.js'
import { auditReason, hidden, table, userLink, userOf } from './pieces.js'
import { ruleWords } from './words.js'

const PATH = '/admin/verify'
const REBUILD = `${PATH}/rebuild`

/** More would be no help: something general is wrong then. */
const MAX_SHOWN = 200

type Report = ProcedureOutput<'verify'>

/** Check the books. */
export const verifyPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Verify',
  show: async (visit) => verifyForm(visit, { userId: userOf(visit), report: null, problem: null }),
}

/** The answer is the page itself: nothing changes, so a reload only looks again. */
export const verifyAction: Page = {
  method: 'POST',
  path: PATH,
  role: 'admin',
  show: async (visit) => {
    const userId = visit.form.text('userId')
    const tried = await attempt(() => visit.run('verify', userId === '' ? {} : { userId }))
    return verifyForm(visit, { userId, report: tried.value ?? null, problem: tried.refused })
  },
}

function verifyForm(
  visit: Visit,
  { userId, report, problem }: { userId: string; report: Report | null; problem: Refused | null },
): Content {
  const field = textField({
    ...{ name: 'userId', label: 'User id', hint: 'Empty: every account. That reads the whole ledger.', maxlength: 255 },
    ...{ value: userId, problem },
  })
  return {
    title: 'Verify',
    lead: 'Checks that balances, grants and holds are what the ledger says. Changes nothing.',
    problem,
    body: html`<div class="stack">
      ${report === null ? nothing : resultOf(visit, report, userId)}
      ${card('Which accounts', form(visit, { action: PATH, submit: 'Verify', body: field }))}
    </div>`,
  }
}

function resultOf(visit: Visit, { accounts, violations }: Report, userId: string): SafeHtml {
  const { show } = visit
  const looked = `${show.count(accounts)} ${accounts === 1 ? 'account' : 'accounts'} checked`
  if (accounts === 0)
    return callout('calm', userId === '' ? 'There are no accounts yet' : `${userId} has no account`, nothing)
  if (violations.length === 0) return callout('good', 'All is sound', html`<p>${looked}, every rule holds.</p>`)
  const shown = violations.slice(0, MAX_SHOWN)
  const rest = violations.length - shown.length
  return html`${callout(
    'bad',
    `${show.count(violations.length)} ${violations.length === 1 ? 'rule does' : 'rules do'} not hold`,
    html`<p>${looked}. Rebuilding an account restores it from its transactions, which are never changed.</p>`,
  )}
  ${card(
    'What does not hold',
    html`${table(
      'Rules that do not hold',
      [
        { head: 'User', isRowHead: true, cell: (violation) => userLink(visit, violation.userId) },
        { head: 'Credit type', cell: ({ creditType }) => show.creditType(creditType) },
        {
          head: 'Rule',
          cell: ({ rule, message }) => html`${ruleWords(rule)}<br /><span class="small soft">${message}</span>`,
        },
        {
          head: 'Action',
          isNumber: true,
          cell: (violation) =>
            html`<a
              href="${visit.path(REBUILD, { user: violation.userId, type: violation.creditType })}"
              aria-label="Rebuild ${violation.creditType} of ${violation.userId}"
              >Rebuild</a
            >`,
        },
      ],
      shown,
    )}
    ${rest === 0 ? nothing : html`<p class="note">And ${show.count(rest)} more.</p>`}`,
  )}`
}

export const rebuildPage: Page = {
  method: 'GET',
  path: REBUILD,
  role: 'admin',
  show: (visit) => rebuildForm(visit, userOf(visit), visit.query.get('type') ?? '', null),
}

/** The same ledger gives the same account, so a double click does it once. */
export const rebuildAction: Page = {
  method: 'POST',
  path: REBUILD,
  role: 'admin',
  show: async (visit) => {
    const [userId, creditType] = [visit.form.text('user'), visit.form.text('type')]
    const tried = await attempt(() => visit.run('rebuild', { userId, creditType, reason: visit.form.text('reason') }))
    if (tried.refused !== null) return rebuildForm(visit, userId, creditType, tried.refused)
    return visit.redirect('/admin/users/account', { user: userId, notice: 'rebuilt' })
  },
}

async function rebuildForm(
  visit: Visit,
  userId: string,
  creditType: string,
  problem: Refused | null,
): Promise<Content> {
  const { show } = visit
  const balance = (await visit.run('getUserBalances', { userId }))[creditType]
  return {
    title: 'Rebuild this account?',
    parent: { path: PATH, name: 'Verify' },
    problem,
    body: card(
      'The account as it stands',
      html`<div class="stack">
        ${facts([
          ['User', userLink(visit, userId)],
          ['Credit type', show.creditType(creditType)],
          ['Available', balance === undefined ? null : show.count(balance.balance)],
          ['Owned', balance === undefined ? null : show.count(balance.owned)],
          ['Held', balance === undefined ? null : show.count(balance.held)],
        ])}
        ${callout('warn', 'These figures are replaced', html`<p>By what the account’s transactions say. The transactions themselves stay as they are.</p>`)}
        ${form(visit, {
          action: REBUILD,
          submit: 'Rebuild the account',
          look: 'danger',
          body: html`${hidden({ user: userId, type: creditType })} ${auditReason(visit, problem)}`,
          beside: buttonLink(visit.path(PATH, { user: userId }), 'Cancel'),
        })}
      </div>`,
    ),
  }
}
