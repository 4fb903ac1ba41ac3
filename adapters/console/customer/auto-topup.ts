import type { CreditPackage } from '../../../src/ports/package-store.js'
import type { AutoTopupView } from '../../../src/topup-settings.js'
import type { Content, Page, Visit } from '../frame.js'
import { attempt, form, type Refused, selectField, textField } from '../forms.js'
import { html, nothing, type SafeHtml, webUrl } from '../html.js'
import { badge, buttonLink, callout, card, empty, facts } from '../parts.js'
import { chosenType, ifSelling, leaveTo, nothingIsSold } from './selling.js'
import { typeTabs } from './type-tabs.js'
import { TOPUP_STATES } from './wording.js'

const PATH = '/auto-topup'
const TITLE = 'Automatic top-up'
const FIELD_NAMES = {
  threshold: 'Credits that are left',
  packageId: 'Package',
  quantity: 'How many of it',
  maxPerMonth: 'Top-ups per month',
  maxAmountMinor: 'Money per month',
}

export const topupPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'user',
  nav: TITLE,
  show: (visit) => settings(visit, visit.query.get('type'), null),
}

/** Switches it on, or changes it. */
export const saveTopup: Page = {
  method: 'POST',
  path: PATH,
  role: 'user',
  show: async (visit) => {
    const { form: sent } = visit
    const creditType = sent.text('creditType')
    const packageId = sent.number('packageId') ?? Number.NaN
    const packages = await visit.run('getPackages', {})
    const currency = packages.find(({ id }) => id === packageId)?.currency ?? 'usd'
    const most = sent.optionalText('maxAmountMinor')
    const tried = await attempt(() =>
      visit.run('configureAutoTopup', {
        ...{ creditType, packageId, enabled: true },
        threshold: sent.number('threshold') ?? Number.NaN,
        quantity: sent.number('quantity'),
        maxPerMonth: sent.number('maxPerMonth'),
        maxAmountMinor: most === undefined ? undefined : visit.show.minorOf(most, currency),
      }),
    )
    if (tried.refused === null) return visit.redirect(PATH, { type: creditType, notice: 'saved' })
    return settings(visit, creditType, inMajorUnits(tried.refused))
  },
}

/** The service speaks of minor units; the page's field doesn't. */
function inMajorUnits(refused: Refused): Refused {
  const { fields } = refused
  const message = fields.get('maxAmountMinor')
  if (message === undefined) return refused
  const plain = message.startsWith('is less than')
    ? 'Must cover at least one top-up'
    : 'Must be an amount, such as 50.00'
  return { ...refused, fields: new Map([...fields, ['maxAmountMinor', plain]]) }
}

export const stopTopup: Page = {
  method: 'POST',
  path: `${PATH}/off`,
  role: 'user',
  show: async (visit) => {
    const creditType = visit.form.text('creditType')
    const topup = await visit.run('getAutoTopup', { creditType })
    if (topup !== null) {
      const { threshold, packageId, quantity, maxPerMonth, maxAmountMinor } = topup
      const kept = { creditType, threshold, packageId, quantity, maxPerMonth, maxAmountMinor }
      const tried = await attempt(() => visit.run('configureAutoTopup', { ...kept, enabled: false }))
      if (tried.refused !== null) return settings(visit, creditType, tried.refused)
    }
    return visit.redirect(PATH, { type: creditType, notice: 'topup-off' })
  },
}

/** On to the provider's page for saving a card. */
export const saveCard: Page = {
  method: 'POST',
  path: `${PATH}/card`,
  role: 'user',
  show: async (visit) => {
    const type = visit.form.text('creditType')
    const tried = await attempt(() =>
      visit.run('createCardSetup', {
        idempotencyKey: visit.form.key(),
        successUrl: visit.path(PATH, { type, notice: 'card-saved' }),
        cancelUrl: visit.path(PATH, { type }),
      }),
    )
    return tried.refused ? settings(visit, type, tried.refused) : leaveTo('On to your card', tried.value.checkoutUrl)
  },
}

async function settings(visit: Visit, asked: string | null, problem: Refused | null): Promise<Content> {
  const packages = await visit.run('getPackages', {})
  const types = [...new Set(packages.map(({ creditType }) => creditType))]
  if (types.length === 0) return nothingIsSold(TITLE)
  const creditType = chosenType(asked, types)
  const found = await ifSelling(async () => ({ topup: await visit.run('getAutoTopup', { creditType }) }))
  if (found === null) return nothingIsSold(TITLE)
  const { topup } = found
  const choices = packages.filter((pack) => pack.creditType === creditType)
  return {
    title: TITLE,
    problem,
    fieldNames: FIELD_NAMES,
    lead: 'Buys credits from your saved card before you run out.',
    body: html`<div class="stack">
      ${typeTabs(visit, { path: PATH, types, chosen: creditType })}
      ${topup === null ? nothing : stateCard(visit, topup, packages)}
      ${card(
        topup === null || topup.status === 'off' ? 'Switch it on' : 'Change it',
        choices.length === 0
          ? empty('Nothing is on sale', 'There is no package to buy.')
          : settingsForm(visit, { creditType, topup, choices, problem }),
      )}
      ${cardCard(visit, creditType)}
    </div>`,
  }
}

function stateCard(visit: Visit, topup: AutoTopupView, packages: readonly CreditPackage[]): SafeHtml {
  const { show, now } = visit
  const { text, tone } = TOPUP_STATES[topup.status]
  const pack = packages.find(({ id }) => id === topup.packageId)
  const { count, amountMinor } = topup.thisMonth
  const spent = pack === undefined ? '' : `, ${show.money(amountMinor, pack.currency)}`
  const stop = form(visit, {
    ...{ action: `${PATH}/off`, submit: 'Switch off', look: 'danger', label: `Switch off ${TITLE.toLowerCase()}` },
    body: html`<input type="hidden" name="creditType" value="${topup.creditType}" />`,
  })
  return card(
    show.creditType(topup.creditType),
    html`<div class="stack">
      ${trouble(topup)}
      ${facts([
        ['State', badge(text, tone)],
        ['Buys', pack === undefined ? null : `${topup.quantity} × ${pack.name}`],
        ['When', `${show.count(topup.threshold)} credits or less are left`],
        ['This month', `${show.count(count)} top-ups${spent}`],
        ['Right now', topup.isPaying ? 'A payment is under way' : null],
        ['Tries again', topup.retryAt !== null && topup.retryAt > now ? show.dateTime(topup.retryAt) : null],
      ])}
      ${topup.status === 'off' ? nothing : stop}
    </div>`,
    { id: 'state' },
  )
}

/** Why it does not buy, and what helps. */
function trouble({ status, recoveryUrl, lastFailure }: AutoTopupView): SafeHtml {
  const page = recoveryUrl === null ? null : webUrl(recoveryUrl)
  if (status === 'action_required')
    return callout(
      'warn',
      'Your bank wants you to confirm the payment',
      page === null ? html`<p>Save a card below to go on.</p>` : buttonLink(page, 'Confirm the payment', 'primary'),
    )
  if (status !== 'suspended') return nothing
  const why = lastFailure === null ? '' : ` (${lastFailure.replaceAll('_', ' ')})`
  return callout(
    'bad',
    `The last payment did not work${why}`,
    html`<p>Nothing more is bought until you save another card below.</p>`,
  )
}

function settingsForm(
  visit: Visit,
  known: { creditType: string; topup: AutoTopupView | null; choices: CreditPackage[]; problem: Refused | null },
): SafeHtml {
  const { creditType, topup, choices, problem } = known
  const { show, form: sent } = visit
  const currency = choices[0]?.currency ?? 'usd'
  // After a refusal: what was typed.
  const value = (name: string, saved: string | number | null | undefined) =>
    problem === null ? saved : sent.text(name)
  const most = topup?.maxAmountMinor ?? null
  return form(visit, {
    ...{ action: PATH, submit: topup === null || topup.status === 'off' ? 'Switch on' : 'Save' },
    body: html`<input type="hidden" name="creditType" value="${creditType}" /> ${textField({
        ...{ name: 'threshold', label: 'Buy when so many credits or less are left', type: 'number', min: 0, problem },
        ...{ value: value('threshold', topup?.threshold), required: true },
      })}
      ${selectField({
        ...{ name: 'packageId', label: 'Package', problem, value: value('packageId', topup?.packageId) },
        choices: choices.map(({ id, name, creditAmount, price, currency: of }) => {
          return { value: id, label: `${name}: ${show.count(creditAmount)} credits, ${show.money(price, of)}` }
        }),
      })}
      ${textField({
        ...{ name: 'quantity', label: 'How many of it', type: 'number', min: 1, max: 1000, problem },
        value: value('quantity', topup?.quantity ?? 1),
      })}
      ${textField({
        ...{ name: 'maxPerMonth', label: 'At most so many top-ups per month', type: 'number', min: 1, problem },
        ...{ value: value('maxPerMonth', topup?.maxPerMonth), hint: 'Leave it empty for any number.' },
      })}
      ${textField({
        ...{ name: 'maxAmountMinor', label: `At most so much money per month (${currency.toUpperCase()})`, problem },
        value: value('maxAmountMinor', most === null ? null : show.amountIn(most, currency)),
        hint: 'Leave it empty for any amount.',
      })}`,
  })
}

function cardCard(visit: Visit, creditType: string): SafeHtml {
  return card(
    'Your card',
    html`<div class="stack">
      <p class="soft">Top-ups are paid from a card you save with our payment provider. We never see its number.</p>
      ${form(visit, {
        ...{ action: `${PATH}/card`, submit: 'Save a card', look: 'plain', keyed: true },
        body: html`<input type="hidden" name="creditType" value="${creditType}" />`,
      })}
    </div>`,
  )
}
