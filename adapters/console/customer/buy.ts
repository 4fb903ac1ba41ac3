import type { CreditPackage } from '../../../src/ports/package-store.js'
import type { Content, Page, Visit } from '../frame.js'
import { attempt, form, type Refused, textField } from '../forms.js'
import { html, type SafeHtml } from '../html.js'
import { packageCard } from '../package-card.js'
import { buttonLink, empty } from '../parts.js'
import { leaveTo } from './selling.js'
import { typeTabs } from './type-tabs.js'

/** What is on sale. */
export const buyPage: Page = {
  method: 'GET',
  path: '/buy',
  role: 'user',
  nav: 'Buy credits',
  show: (visit) => shop(visit, null),
}

/** Opens a checkout. A double click opens one: both carry the form's key. */
export const checkoutAction: Page = {
  method: 'POST',
  path: '/buy',
  role: 'user',
  show: async (visit) => {
    const packageId = visit.form.number('packageId') ?? Number.NaN
    const tried = await attempt(
      () =>
        visit.run('createCheckout', {
          packageId,
          quantity: visit.form.number('quantity'),
          idempotencyKey: visit.form.key(),
          // The provider puts the session's id there; its braces must arrive as they are.
          successUrl: `${visit.path('/checkout/done')}?session_id={CHECKOUT_SESSION_ID}`,
          cancelUrl: visit.path('/buy', { notice: 'checkout-canceled' }),
        }),
      String(packageId),
    )
    return tried.refused ? shop(visit, tried.refused) : leaveTo('On to payment', tried.value.checkoutUrl)
  },
}

async function shop(visit: Visit, problem: Refused | null): Promise<Content> {
  const packages = await visit.run('getPackages', {})
  const title = 'Buy credits'
  if (packages.length === 0) {
    const body = empty(
      'Nothing is on sale right now',
      'Please come back later.',
      buttonLink(visit.path('/'), 'To the overview'),
    )
    return { title, problem, body: html`<div class="card">${body}</div>` }
  }
  const types = [...new Set(packages.map(({ creditType }) => creditType))]
  const asked = visit.query.get('type')
  const shown = types.filter((type) => type === asked)
  const sections = (shown.length === 0 ? types : shown).map((type) => {
    const sold = packages.filter(({ creditType }) => creditType === type)
    return html`<section class="stack" aria-labelledby="type-${type}">
      <h2 id="type-${type}">${visit.show.creditType(type)}</h2>
      <div class="grid">${sold.map((pack) => offer(visit, pack, problem))}</div>
    </section>`
  })
  return {
    title,
    problem,
    lead: 'You pay on our payment provider’s page. The credits are here as soon as the payment is.',
    body: html`<div class="stack">
      ${typeTabs(visit, { path: '/buy', types, chosen: shown[0] ?? '', hasAll: true })} ${sections}
    </div>`,
  }
}

function offer(visit: Visit, pack: CreditPackage, problem: Refused | null): SafeHtml {
  const { id, name } = pack
  const scope = String(id)
  const isRefused = problem?.scope === scope
  const quantity = textField({
    ...{ name: 'quantity', label: 'Quantity', type: 'number', min: 1, max: 1000, scope },
    problem: isRefused ? problem : null,
    value: isRefused ? visit.form.text('quantity') : 1,
  })
  const buying = form(visit, {
    ...{ action: '/buy', submit: 'Buy', label: `Buy ${name}`, keyed: true, look: 'primary', isInline: true },
    body: html`<input type="hidden" name="packageId" value="${id}" />${quantity}`,
  })
  return packageCard(visit.show, pack, scope, buying)
}
