import type { AutoTopupStatus } from '../../../src/ledger/auto-topup.js'
import type { ProcedureOutput, Visit } from '../frame.js'
import { SUBSCRIPTION_STATES, TOPUP_STATES } from '../customer/wording.js'
import { html, type HtmlValue, nothing, type SafeHtml } from '../html.js'
import { badge, card, type Tone } from '../parts.js'
import { table, transactionPath } from './pieces.js'
import { ORIGIN_WORDS, PURCHASE_WORDS } from './words.js'

type Purchase = ProcedureOutput<'getUserPurchases'>['purchases'][number]
type Plan = ProcedureOutput<'getUserPlan'>
type Subscription = ProcedureOutput<'getUserSubscriptions'>[number]
type Topup = NonNullable<ProcedureOutput<'getUserAutoTopup'>>

interface Regular {
  name: string
  what: HtmlValue
  next: HtmlValue
  state: { text: string; tone: Tone }
}

/** What brings a user credits by itself: plan, subscriptions, automatic top-ups. Null: nothing is sold here. */
export function regular(
  visit: Visit,
  {
    plan,
    subscriptions,
    topups,
  }: { plan: Plan; subscriptions: Subscription[] | null; topups: (Topup | null)[] | null },
): SafeHtml {
  const rows = [
    ...(plan === null ? [] : [planRow(visit, plan)]),
    ...(subscriptions ?? []).map((subscription) => subscriptionRow(visit, subscription)),
    ...(topups ?? []).flatMap((topup) => (topup === null ? [] : [topupRow(visit, topup)])),
  ]
  if (rows.length === 0) return nothing
  return card(
    'Plan, subscriptions and automatic top-ups',
    table(
      'What brings credits by itself',
      [
        { head: 'Kind', isRowHead: true, cell: ({ name }) => name },
        { head: 'What', cell: ({ what }) => what },
        { head: 'Next', cell: ({ next }) => next },
        { head: 'State', cell: ({ state }) => badge(state.text, state.tone) },
      ],
      rows,
    ),
  )
}

const RHYTHM_WORDS: Record<NonNullable<Plan>['grants'][number]['every'], string> = {
  day: 'a day',
  week: 'a week',
  month: 'a month',
  year: 'a year',
}

function planRow({ show, now }: Visit, { plan, status, grants }: NonNullable<Plan>): Regular {
  const isActive = status === 'active'
  const parts = grants.map(
    ({ creditType, amount, every }) => `${show.count(amount)} ${show.creditType(creditType)} ${RHYTHM_WORDS[every]}`,
  )
  const next = Math.min(...grants.map(({ nextAt }) => nextAt.getTime()))
  return {
    name: 'Plan',
    what: html`${plan}<br /><span class="small soft">${parts.join(', ')}</span>`,
    next: isActive && grants.length > 0 ? when(show, new Date(next), now) : NONE,
    state: isActive ? { text: 'Active', tone: 'good' } : { text: 'Ended', tone: 'calm' },
  }
}

function subscriptionRow({ show, now }: Visit, subscription: Subscription): Regular {
  const { id, status, items, cancelAtPeriodEnd, collectionPaused, trialEndsAt, endedAt } = subscription
  const what = items.map(
    ({ plan, quantity }) => `${quantity === 1 ? '' : `${quantity} × `}${plan ?? 'no plan of ours'}`,
  )
  const periodEnd = Math.min(...items.map((item) => item.periodEnd.getTime()))
  const notes = [
    collectionPaused ? 'Collection is paused: nothing is granted' : null,
    trialEndsAt === null ? null : html`Trial until ${show.date(trialEndsAt)}`,
    cancelAtPeriodEnd && endedAt === null ? 'Canceled: does not renew' : null,
    endedAt === null ? null : html`Ended ${show.date(endedAt)}`,
  ].filter((note) => note !== null)
  return {
    name: 'Subscription',
    what: html`${what.join(', ')}<br /><span class="mono soft">${id}</span>
      ${notes.map((note) => html`<br /><span class="small soft">${note}</span>`)}`,
    next: endedAt === null && items.length > 0 ? when(show, new Date(periodEnd), now) : NONE,
    state: SUBSCRIPTION_STATES[status],
  }
}

function topupRow({ show, now }: Visit, topup: Topup): Regular {
  const { creditType, status, threshold, packageId, quantity, maxPerMonth, thisMonth, retryAt, lastFailure } = topup
  const limit = maxPerMonth === null ? '' : ` of at most ${show.count(maxPerMonth)}`
  return {
    name: `Top-up of ${show.creditType(creditType)}`,
    what: html`${quantity === 1 ? '' : `${show.count(quantity)} × `}Package ${packageId} when ${show.count(threshold)}
      credits or fewer are left <br /><span class="small soft">${show.count(thisMonth.count)}${limit} this month</span>
      ${lastFailure === null ? nothing : html`<br /><span class="small soft">Last failure: ${words(lastFailure)}</span>`}`,
    next: topup.isPaying ? 'Payment under way' : retryAt === null ? NONE : when(show, retryAt, now),
    state: TOPUP_WORDS[status],
  }
}

const NONE = html`<span class="soft">–</span>`

function when(show: Visit['show'], moment: Date, now: Date): SafeHtml {
  return html`${show.date(moment)} <span class="small soft">${show.relative(moment, now)}</span>`
}

const TOPUP_WORDS: Record<AutoTopupStatus, { text: string; tone: Tone }> = {
  ...TOPUP_STATES,
  suspended: { text: 'Stopped: needs a new card', tone: 'bad' },
  action_required: { text: 'Waits for the bank', tone: 'warn' },
}

export function purchasesTable(visit: Visit, purchases: readonly Purchase[]): SafeHtml {
  const { show } = visit
  return table(
    'Purchases',
    [
      {
        head: 'Purchase',
        isRowHead: true,
        cell: ({ packageName, quantity, origin }) =>
          html`${quantity === 1 ? nothing : `${show.count(quantity)} × `}${packageName}
            <span class="soft small">${ORIGIN_WORDS[origin]}</span>`,
      },
      { head: 'When', cell: ({ createdAt }) => show.dateTime(createdAt) },
      {
        head: 'Credits',
        isNumber: true,
        cell: ({ credits, creditType }) =>
          html`${show.count(credits)} <span class="soft small">${show.creditType(creditType)}</span>`,
      },
      { head: 'Paid', isNumber: true, cell: (purchase) => moneyOf(visit, purchase) },
      { head: 'State', cell: ({ status }) => badge(PURCHASE_WORDS[status].text, PURCHASE_WORDS[status].tone) },
      {
        head: 'Details',
        isNumber: true,
        cell: ({ transactionId, packageName }) =>
          transactionId === null
            ? html`<span class="soft">–</span>`
            : html`<a
                href="${visit.path(transactionPath(transactionId))}"
                aria-label="Explain the credits of ${packageName}"
                >Explain</a
              >`,
      },
    ],
    purchases,
  )
}

/** What was paid, and how much of it went back. */
export function moneyOf({ show }: Visit, { paidMinor, reversedMinor, currency }: Purchase): SafeHtml {
  if (paidMinor === null) return html`<span class="soft">–</span>`
  const back =
    reversedMinor === 0
      ? nothing
      : html`<span class="soft small">${show.money(reversedMinor, currency)} went back</span>`
  return html`${show.money(paidMinor, currency)} ${back}`
}

/** `past_due` → `Past due`. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ')
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
