import type { Content, Page, ProcedureOutput, Visit } from '../frame.js'
import { creditTypesOf, ifSelling } from '../customer/selling.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, buttonLink, callout, card, empty, facts } from '../parts.js'
import { table, tabs, userOf } from './pieces.js'
import { purchasesTable, regular } from './account-selling.js'
import { SOURCE_WORDS } from './words.js'

type Balances = ProcedureOutput<'getUserBalances'>
type Grant = ProcedureOutput<'getUserGrants'>[number]
type Hold = ProcedureOutput<'getUserHolds'>[number]

const LATEST_PURCHASES = 5

/** Everything about one user: what they have, where it comes from, and what goes on. */
export const accountPage: Page = {
  method: 'GET',
  path: '/admin/users/account',
  role: 'admin',
  show: async (visit) => {
    const userId = userOf(visit)
    const types = await creditTypesOf(visit)
    const [balances, grants, holds, plan, purchases, subscriptions, topups] = await Promise.all([
      visit.run('getUserBalances', { userId }),
      visit.run('getUserGrants', { userId }),
      visit.run('getUserHolds', { userId }),
      visit.run('getUserPlan', { userId }),
      visit.run('getUserPurchases', { userId, limit: LATEST_PURCHASES }),
      ifSelling(() => visit.run('getUserSubscriptions', { userId })),
      ifSelling(() => Promise.all(types.map((creditType) => visit.run('getUserAutoTopup', { userId, creditType })))),
    ])
    const more = html`<a href="${visit.path('/admin/users/timeline', { user: userId })}">All payments and credits</a>`
    return {
      ...userFrame(visit, userId),
      body: html`<div class="stack">
        ${userTabs(visit, userId, 'account')} ${inDebt(visit, balances)} ${balanceCard(visit, balances)}
        ${grantsCard(visit, userId, grants)} ${holdsCard(visit, userId, holds)}
        ${regular(visit, { plan, subscriptions, topups })}
        ${card(
          'Latest purchases',
          purchases.purchases.length === 0
            ? empty('No purchases', 'Packages, top-ups and subscription invoices of this user appear here.')
            : purchasesTable(visit, purchases.purchases),
          { actions: more },
        )}
      </div>`,
    }
  },
}

/** Heading and buttons of a user's pages. */
export function userFrame(visit: Visit, userId: string): Pick<Content, 'title' | 'parent' | 'actions'> {
  return {
    title: userId,
    parent: { path: '/admin/users', name: 'Users' },
    actions: html`${buttonLink(visit.path('/admin/users/give', { user: userId }), 'Give credits', 'primary')}
    ${buttonLink(visit.path('/admin/users/adjust', { user: userId }), 'Adjust balance')}`,
  }
}

export function userTabs(visit: Visit, userId: string, current: 'account' | 'timeline'): SafeHtml {
  const entry = (page: 'account' | 'timeline', text: string) => ({
    href: visit.path(`/admin/users/${page}`, { user: userId }),
    text,
    isCurrent: page === current,
  })
  return tabs('This user', [entry('account', 'Overview'), entry('timeline', 'Timeline')])
}

function inDebt(visit: Visit, balances: Balances): SafeHtml[] {
  return Object.entries(balances)
    .filter(([, { debt }]) => debt > 0)
    .map(([type, { debt }]) => {
      const title = `${visit.show.count(debt)} ${visit.show.creditType(type)} credits are owed`
      return callout(
        'bad',
        title,
        html`<p>
          Money went back after the credits had been used. The next credits repay it first; until then nothing can be
          spent.
        </p>`,
      )
    })
}

function balanceCard({ show, now }: Visit, balances: Balances): SafeHtml {
  const rows = Object.entries(balances)
  const figure = (head: string, of: (balance: Balances[string]) => number) => ({
    head,
    isNumber: true,
    cell: ([, balance]: (typeof rows)[number]) => show.count(of(balance)),
  })
  return card(
    'Balances',
    table(
      'Balances by credit type',
      [
        { head: 'Credit type', isRowHead: true, cell: ([type]) => show.creditType(type) },
        { head: 'Available', isNumber: true, cell: ([, { balance }]) => html`<strong>${show.count(balance)}</strong>` },
        figure('Owned', ({ owned }) => owned),
        figure('Held', ({ held }) => held),
        figure('Debt', ({ debt }) => debt),
        figure('Bought in all', ({ totalPurchased }) => totalPurchased),
        figure('Used in all', ({ totalUsed }) => totalUsed),
        {
          head: 'Next expiry',
          cell: ([, { nextExpiry }]) =>
            nextExpiry === null
              ? html`<span class="soft">None</span>`
              : html`${show.date(nextExpiry)} <span class="soft small">${show.relative(nextExpiry, now)}</span>`,
        },
      ],
      rows,
    ),
  )
}

function grantsCard(visit: Visit, userId: string, grants: readonly Grant[]): SafeHtml {
  const { show, now } = visit
  if (grants.length === 0)
    return card('Grants', empty('Nothing is left of any grant', 'Credits that are bought or given appear here.'))
  return card(
    'Grants',
    html`<div class="stack">
      <p class="note">Open grants in the order in which they are used.</p>
      ${table(
        'Open grants',
        [
          {
            head: 'From',
            isRowHead: true,
            cell: (grant) => html`${SOURCE_WORDS[grant.source]} ${stateOf(grant, now)}`,
          },
          { head: 'Credit type', cell: ({ creditType }) => show.creditType(creditType) },
          {
            head: 'Left',
            isNumber: true,
            cell: ({ remaining, amount }) =>
              html`<strong>${show.count(remaining)}</strong> <span class="soft">of ${show.count(amount)}</span>`,
          },
          { head: 'Held', isNumber: true, cell: ({ held }) => show.count(held) },
          {
            head: 'Paid',
            isNumber: true,
            cell: ({ paidAmount, currency }) =>
              paidAmount === null || currency === null
                ? html`<span class="soft">–</span>`
                : show.money(paidAmount, currency),
          },
          { head: 'Granted', cell: ({ createdAt }) => show.date(createdAt) },
          {
            head: 'Expires',
            cell: ({ expiresAt }) =>
              expiresAt === null
                ? html`<span class="soft">Never</span>`
                : html`${show.date(expiresAt)} <span class="soft small">${show.relative(expiresAt, now)}</span>`,
          },
          {
            head: 'Action',
            isNumber: true,
            cell: ({ id, voidedAt, source, remaining }) =>
              voidedAt !== null
                ? nothing
                : html`<a
                    href="${visit.path('/admin/users/void', { user: userId, grant: id })}"
                    aria-label="End the grant “${SOURCE_WORDS[source]}” with ${remaining} credits left"
                    >End</a
                  >`,
          },
        ],
        grants,
      )}
    </div>`,
  )
}

function stateOf({ effectiveAt, expiresAt, voidedAt }: Grant, now: Date): SafeHtml {
  if (voidedAt !== null) return badge('Ended by hand', 'warn')
  if (expiresAt !== null && expiresAt <= now) return badge('Expired', 'warn')
  return effectiveAt !== null && effectiveAt > now ? badge('Not usable yet') : nothing
}

function holdsCard(visit: Visit, userId: string, holds: readonly Hold[]): SafeHtml {
  const { show, now } = visit
  if (holds.length === 0) return nothing
  return card(
    'Open holds',
    table(
      'Credits set aside for work that is going on',
      [
        { head: 'For', isRowHead: true, cell: ({ description }) => description || 'No description' },
        { head: 'Credit type', cell: ({ creditType }) => show.creditType(creditType) },
        { head: 'Credits', isNumber: true, cell: ({ amount, captured }) => show.count(amount - captured) },
        { head: 'By', cell: ({ actor }) => actor ?? html`<span class="soft">–</span>` },
        {
          head: 'Ends',
          cell: ({ expiresAt }) =>
            html`${show.dateTime(expiresAt)} <span class="soft small">${show.relative(expiresAt, now)}</span>`,
        },
        {
          head: 'Action',
          isNumber: true,
          cell: ({ id, description, amount }) =>
            html`<a
              href="${visit.path('/admin/users/release', { user: userId, hold: id })}"
              aria-label="Release the hold of ${amount} credits “${description}”"
              >Release</a
            >`,
        },
      ],
      holds,
    ),
  )
}

/** One line of what a hold or a grant is, for pages that end it. */
export function holdFacts({ show }: Visit, hold: Hold): SafeHtml {
  return facts([
    ['User', hold.userId],
    ['For', hold.description],
    ['Credit type', show.creditType(hold.creditType)],
    ['Held', show.count(hold.amount - hold.captured)],
    ['Ends by itself', show.dateTime(hold.expiresAt)],
  ])
}

export function grantFacts({ show }: Visit, grant: Grant): SafeHtml {
  const { paidAmount, currency, expiresAt } = grant
  return facts([
    ['User', grant.userId],
    ['From', SOURCE_WORDS[grant.source]],
    ['Credit type', show.creditType(grant.creditType)],
    ['Left', `${show.count(grant.remaining)} of ${show.count(grant.amount)}`],
    ['Held', grant.held === 0 ? null : `${show.count(grant.held)}, which holds may still use`],
    ['Paid', paidAmount === null || currency === null ? null : show.money(paidAmount, currency)],
    ['Granted', show.dateTime(grant.createdAt)],
    ['Expires', expiresAt === null ? 'Never' : show.dateTime(expiresAt)],
  ])
}
