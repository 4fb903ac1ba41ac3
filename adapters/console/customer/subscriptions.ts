import { SubscriptionNotFoundError } from '../../../src/errors.js'
import type { UserSubscription } from '../../../src/subscriptions.js'
import type { Content, Page, Visit } from '../frame.js'
import { attempt, form, type Refused } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, buttonLink, callout, card, empty, facts } from '../parts.js'
import { ifSelling, leaveTo, nothingIsSold } from './selling.js'
import { SUBSCRIPTION_STATES } from './wording.js'

const PATH = '/subscriptions'
const TITLE = 'Subscription'

export const subscriptionsPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'user',
  nav: TITLE,
  show: (visit) => list(visit, null),
}

/** Asks once more: a link alone never ends anything. */
export const cancelPage: Page = {
  method: 'GET',
  path: `${PATH}/{subscriptionId}/cancel`,
  role: 'user',
  show: (visit) => confirmation(visit, null),
}

export const cancelAction: Page = {
  method: 'POST',
  path: `${PATH}/{subscriptionId}/cancel`,
  role: 'user',
  show: async (visit) => {
    const subscriptionId = visit.fields.subscriptionId ?? ''
    const tried = await attempt(() => visit.run('cancelSubscription', { subscriptionId, when: 'period_end' }))
    if (tried.refused !== null) return confirmation(visit, tried.refused)
    return visit.redirect(PATH, { notice: 'subscription-canceled' })
  },
}

/** On to the provider's page for cards and invoices. */
export const portalAction: Page = {
  method: 'POST',
  path: `${PATH}/portal`,
  role: 'user',
  show: async (visit) => {
    const tried = await attempt(() => visit.run('createPortalSession', { returnUrl: visit.path(PATH) }))
    return tried.refused ? list(visit, tried.refused) : leaveTo('On to your billing page', tried.value.url)
  },
}

async function list(visit: Visit, problem: Refused | null): Promise<Content> {
  const subscriptions = await ifSelling(() => visit.run('getSubscriptions', {}))
  if (subscriptions === null) return nothingIsSold(TITLE)
  const body =
    subscriptions.length === 0
      ? html`<div class="card">
          ${empty(
            'You have no subscription',
            'You can buy credits one package at a time.',
            buttonLink(visit.path('/buy'), 'Buy credits', 'primary'),
          )}
        </div>`
      : subscriptions.map((subscription) => subscriptionCard(visit, subscription))
  const billing = card(
    'Cards and invoices',
    html`<div class="stack">
      <p class="soft">Change how you pay, and find your invoices, at our payment provider.</p>
      ${form(visit, { action: `${PATH}/portal`, submit: 'Open the billing page', look: 'plain' })}
    </div>`,
  )
  return { title: TITLE, problem, body: html`<div class="stack">${body} ${billing}</div>` }
}

function subscriptionCard(visit: Visit, subscription: UserSubscription): SafeHtml {
  const { id, cancelAtPeriodEnd, endedAt } = subscription
  const link =
    endedAt !== null || cancelAtPeriodEnd
      ? nothing
      : html`<p class="push">
          <a class="button danger" href="${visit.path(`${PATH}/${encodeURIComponent(id)}/cancel`)}">Cancel…</a>
        </p>`
  return card(nameOf(subscription), html`${state(visit, subscription)} ${link}`, { id: `subscription-${id}` })
}

function nameOf({ items }: UserSubscription): string {
  const names = items.flatMap(({ plan, quantity }) =>
    plan === null ? [] : quantity > 1 ? `${quantity} × ${plan}` : plan,
  )
  return names.join(', ') || TITLE
}

function state({ show }: Visit, subscription: UserSubscription): SafeHtml {
  const { status, items, cancelAtPeriodEnd, collectionPaused, endedAt, trialEndsAt } = subscription
  const { text, tone } = SUBSCRIPTION_STATES[status]
  const periodEnd = items[0]?.periodEnd
  const isOver = endedAt !== null
  const ending = cancelAtPeriodEnd ? badge('Ends soon', 'warn') : nothing
  return facts([
    ['State', html`${badge(text, tone)} ${isOver ? nothing : ending}`],
    ['Ended', isOver ? show.date(endedAt) : null],
    [cancelAtPeriodEnd ? 'Ends' : 'Renews', isOver || periodEnd === undefined ? null : show.date(periodEnd)],
    ['Free trial until', trialEndsAt === null || isOver ? null : show.date(trialEndsAt)],
    ['Payments', collectionPaused ? 'Paused; no credits come meanwhile' : null],
  ])
}

async function confirmation(visit: Visit, problem: Refused | null): Promise<Content> {
  const subscriptions = (await ifSelling(() => visit.run('getSubscriptions', {}))) ?? []
  const subscription = subscriptions.find(({ id }) => id === visit.fields.subscriptionId)
  if (subscription === undefined) throw new SubscriptionNotFoundError()
  const { id, items, endedAt, cancelAtPeriodEnd } = subscription
  const parent = { path: PATH, name: TITLE }
  if (endedAt !== null || cancelAtPeriodEnd)
    return { title: 'Already cancelled', parent, problem, body: callout('calm', 'This subscription ends by itself.') }
  const periodEnd = items[0]?.periodEnd
  const until = periodEnd === undefined ? 'the end of the paid period' : visit.show.date(periodEnd)
  return {
    title: `Cancel ${nameOf(subscription)}?`,
    ...{ parent, problem },
    body: html`<div class="card stack">
      <p>It stays as it is until ${until}, and is not renewed then. Credits you bought one by one stay yours.</p>
      ${form(visit, {
        ...{ action: `${PATH}/${encodeURIComponent(id)}/cancel`, submit: 'Cancel the subscription', look: 'danger' },
        beside: buttonLink(visit.path(PATH), 'Keep it'),
      })}
    </div>`,
  }
}
