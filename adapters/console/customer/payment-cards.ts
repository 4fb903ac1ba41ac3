import type { CreditPackage } from '../../../src/ports/package-store.js'
import type { UserPlan } from '../../../src/plans.js'
import type { UserSubscription } from '../../../src/subscriptions.js'
import type { AutoTopupView } from '../../../src/topup-settings.js'
import type { Visit } from '../frame.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, card } from '../parts.js'
import { ifSelling } from './selling.js'
import { SUBSCRIPTION_STATES, TOPUP_STATES } from './wording.js'

/** The overview's cards about what pays for credits by itself: plan, subscription, automatic top-up. */
export async function paymentCards(
  visit: Visit,
  types: readonly string[],
  packages: readonly CreditPackage[],
): Promise<SafeHtml> {
  const [plan, subscriptions, topups] = await Promise.all([
    visit.run('getPlan', {}),
    ifSelling(() => visit.run('getSubscriptions', {})),
    ifSelling(() => Promise.all(types.map((creditType) => visit.run('getAutoTopup', { creditType })))),
  ])
  const sellable = types.filter((type) => packages.some(({ creditType }) => creditType === type))
  const cards = [
    plan === null || plan.status === 'ended' ? nothing : planCard(visit, plan),
    subscriptions === null ? nothing : subscriptionCard(visit, subscriptions),
    topups === null || sellable.length === 0
      ? nothing
      : topupCard(
          visit,
          sellable.map((type) => [type, topups.find((topup) => topup?.creditType === type) ?? null]),
        ),
  ].filter((each) => each !== nothing)
  return cards.length === 0 ? nothing : html`<div class="pair">${cards}</div>`
}

function planCard({ show }: Visit, { plan, grants }: UserPlan): SafeHtml {
  const items = grants.map(
    ({ creditType, amount, every, nextAt }) =>
      html`<li>
        <span
          >${show.count(amount)} ${show.creditType(creditType)} every ${every}
          <span class="note">Next: ${show.date(nextAt)}</span></span
        >
      </li>`,
  )
  return card(
    `Plan: ${plan}`,
    html`<ul class="list">
      ${items}
    </ul>`,
    { id: 'plan' },
  )
}

function subscriptionCard(visit: Visit, subscriptions: readonly UserSubscription[]): SafeHtml {
  const running = subscriptions.filter(({ endedAt }) => endedAt === null)
  const items = running.map(({ status, items: [first], cancelAtPeriodEnd }) => {
    const { text, tone } = SUBSCRIPTION_STATES[status]
    const when = first === undefined ? nothing : visit.show.date(first.periodEnd)
    return html`<li>
      <span
        >${first?.plan ?? 'Subscription'}
        <span class="note">${cancelAtPeriodEnd ? 'Ends' : 'Renews'} ${when}</span></span
      >
      ${badge(text, tone)}
    </li>`
  })
  const body =
    items.length === 0
      ? html`<p class="soft">You have no subscription.</p>`
      : html`<ul class="list">
          ${items}
        </ul>`
  const link = subscriptions.length === 0 ? nothing : html`<a href="${visit.path('/subscriptions')}">Manage</a>`
  return card('Subscription', body, { actions: link })
}

function topupCard(visit: Visit, topups: readonly (readonly [string, AutoTopupView | null])[]): SafeHtml {
  const items = topups.map(([type, topup]) => {
    const { text, tone } = TOPUP_STATES[topup?.status ?? 'off']
    const path = visit.path('/auto-topup', { type })
    const threshold = topup === null || topup.status === 'off' ? nothing : belowText(visit, topup.threshold)
    return html`<li>
      <span><a href="${path}">${visit.show.creditType(type)}</a> ${threshold}</span> ${badge(text, tone)}
    </li>`
  })
  return card(
    'Automatic top-up',
    html`<ul class="list">
      ${items}
    </ul>`,
  )
}

function belowText({ show }: Visit, threshold: number): SafeHtml {
  return html`<span class="note">at ${show.count(threshold)} credits or less</span>`
}
