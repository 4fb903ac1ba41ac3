import { QuarantineNotFoundError } from '../../../src/errors.js'
import { ifSelling } from '../customer/selling.js'
import type { Content, Page, ProcedureOutput, Visit } from '../frame.js'
import { attempt, form, type Refused, textField } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, buttonLink, callout, card, empty, facts } from '../parts.js'
import { words } from './account-selling.js'
import { auditReason, hidden, NOT_SELLING, onward, tabs, userLink } from './pieces.js'

const PATH = '/admin/quarantine'
const PER_PAGE = 20
const LARGEST_PAGE = 200

type Entry = ProcedureOutput<'listQuarantine'>[number]
type Action = 'grant' | 'dismiss'

/** Payments that were not what was sold. A person decides about each. */
export const quarantinePage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Quarantine',
  show: async (visit) => {
    const includeResolved = visit.query.get('show') === 'all'
    const after = visit.query.get('after')
    // One more than the page tells whether the list goes on.
    const found = await ifSelling(() => visit.run('listQuarantine', { includeResolved, after, limit: PER_PAGE + 1 }))
    const title = 'Quarantine'
    if (found === null) return { title, body: NOT_SELLING }
    const entries = found.slice(0, PER_PAGE)
    const query = { show: includeResolved ? 'all' : undefined }
    const none = empty(
      includeResolved ? 'There has been none' : 'Nothing waits for you',
      'A payment comes here when it is not what was sold, or nobody knows whose it is. Its money is safe at the provider.',
    )
    const pages = onward(visit, PATH, {
      query,
      next: found.length > PER_PAGE ? { after: entries.at(-1)?.id } : null,
      isLater: after !== null,
    })
    return {
      title,
      lead: 'Payments that could not be turned into credits.',
      body: html`<div class="stack">
        ${tabs('Which payments', [
          { href: visit.path(PATH), text: 'Open', isCurrent: !includeResolved },
          { href: visit.path(PATH, { show: 'all' }), text: 'Open and decided', isCurrent: includeResolved },
        ])}
        ${entries.length === 0 ? html`<div class="card">${none}</div>` : entries.map((entry) => entryCard(visit, entry))}
        ${pages}
      </div>`,
    }
  },
}

function entryCard(visit: Visit, entry: Entry): SafeHtml {
  const about = entry.userId ?? entry.invoiceId ?? entry.id
  const link = (action: Action, text: string) =>
    buttonLink(
      visit.path(`${PATH}/decide`, { entry: entry.id, action }),
      text,
      action === 'grant' ? 'primary' : 'plain',
      `${text}: ${entry.reason}, ${about}`,
    )
  return card(
    words(entry.reason),
    html`<div class="stack">
      ${entryFacts(visit, entry)}
      ${
        entry.resolution === null
          ? html`<div class="buttons">${link('grant', 'Grant …')} ${link('dismiss', 'Dismiss …')}</div>`
          : nothing
      }
    </div>`,
    {
      id: `entry-${entry.id}`,
      actions: entry.resolution === null ? badge('Open', 'warn') : badge(words(entry.resolution)),
    },
  )
}

const DETAIL_WORDS: Readonly<Record<string, string>> = {
  sessionId: 'Checkout session',
  paymentId: 'Payment',
  subscriptionId: 'Subscription',
  customerId: 'Customer at the provider',
  purchaseId: 'Named purchase',
  userId: 'Named user',
}

const MONEY_WORDS: Readonly<Record<string, string>> = {
  subtotalMinor: 'Price of what was paid',
  totalMinor: 'Paid, with tax and discounts',
  paidMinor: 'Paid',
}

function entryFacts(visit: Visit, { userId, purchaseId, invoiceId, details, ...entry }: Entry): SafeHtml {
  const { show } = visit
  const currency = typeof details.currency === 'string' ? details.currency : null
  const more = Object.entries(details).flatMap(([name, value]): (readonly [string, SafeHtml | string])[] => {
    if (value === null || name === 'currency') return []
    const money = Object.hasOwn(MONEY_WORDS, name) ? MONEY_WORDS[name] : undefined
    if (money !== undefined && currency !== null && typeof value === 'number')
      return [[money, show.money(value, currency)]]
    const label = Object.hasOwn(DETAIL_WORDS, name) ? DETAIL_WORDS[name] : undefined
    return [[label ?? name, html`<span class="mono">${String(value)}</span>`]]
  })
  return facts([
    ['User', userId === null ? 'Nobody knows' : userLink(visit, userId)],
    ['Since', show.dateTime(entry.createdAt)],
    ['Purchase', purchaseId === null ? null : html`<span class="mono">${purchaseId}</span>`],
    ['Invoice', invoiceId === null ? null : html`<span class="mono">${invoiceId}</span>`],
    ...more,
    ['Decided', entry.resolvedAt === null ? null : show.dateTime(entry.resolvedAt)],
    ['By', entry.resolvedBy],
  ])
}

export const decidePage: Page = {
  method: 'GET',
  path: `${PATH}/decide`,
  role: 'admin',
  show: (visit) => decideForm(visit, visit.query.get('entry') ?? '', actionOf(visit.query.get('action')), null),
}

/** Deciding again the same way changes nothing, so a double click does it once. */
export const decideAction: Page = {
  method: 'POST',
  path: `${PATH}/decide`,
  role: 'admin',
  show: async (visit) => {
    const { form: sent } = visit
    const quarantineId = sent.text('entry')
    const action = actionOf(sent.text('action'))
    const tried = await attempt(() =>
      visit.run('releaseQuarantine', {
        ...{ quarantineId, action, userId: sent.optionalText('userId') },
        reason: sent.text('reason'),
      }),
    )
    if (tried.refused !== null) return decideForm(visit, quarantineId, action, tried.refused)
    return visit.redirect(PATH, { notice: 'decided' })
  },
}

function actionOf(text: string | null): Action {
  return text === 'dismiss' ? 'dismiss' : 'grant'
}

async function decideForm(visit: Visit, id: string, action: Action, problem: Refused | null): Promise<Content> {
  // Somebody may have decided meanwhile: then the refusal says so.
  const entry = await findEntry(visit, id, problem !== null)
  const isGrant = action === 'grant'
  // A purchase knows its buyer; an invoice of an unknown customer needs to be told.
  const asksWhose = isGrant && entry.userId === null && entry.invoiceId !== null
  const whose = textField({
    ...{
      name: 'userId',
      label: 'Whose payment it is',
      hint: 'The user’s id. Remembered for this customer’s next payments.',
    },
    ...{ value: visit.form.text('userId'), required: true, maxlength: 255, problem },
  })
  const meaning = isGrant
    ? callout(
        'warn',
        'The user gets what was sold',
        html`<p>Although the payment does not match. Compare what was paid first.</p>`,
      )
    : callout(
        'warn',
        'No credits come of this payment',
        html`<p>Give its money back at the provider, if you have not yet. This can’t be undone here.</p>`,
      )
  return {
    title: isGrant ? 'Grant the credits of this payment?' : 'Dismiss this payment?',
    parent: { path: PATH, name: 'Quarantine' },
    problem,
    fieldNames: { userId: 'Whose payment it is' },
    body: card(
      words(entry.reason),
      html`<div class="stack">
        ${entryFacts(visit, entry)} ${meaning}
        ${form(visit, {
          action: `${PATH}/decide`,
          submit: isGrant ? 'Grant the credits' : 'Dismiss the payment',
          look: isGrant ? 'primary' : 'danger',
          body: html`${hidden({ entry: entry.id, action })} ${asksWhose ? whose : nothing}
          ${auditReason(visit, problem)}`,
          beside: buttonLink(visit.path(PATH), 'Cancel'),
        })}
      </div>`,
    ),
  }
}

/** Entries are few: they wait for people. */
async function findEntry(visit: Visit, id: string, includeResolved: boolean): Promise<Entry> {
  for (let after: string | null = null; ;) {
    const page: Entry[] = await visit.run('listQuarantine', { includeResolved, limit: LARGEST_PAGE, after })
    const found = page.find((entry) => entry.id === id.toLowerCase())
    if (found !== undefined) return found
    after = page.at(-1)?.id ?? null
    if (page.length < LARGEST_PAGE) throw new QuarantineNotFoundError()
  }
}
