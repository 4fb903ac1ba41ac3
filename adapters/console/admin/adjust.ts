import { adjustCreditsInput, parseInput } from '../../../src/inputs.js'
import type { Content, Page, Visit } from '../frame.js'
import { attempt, form, type Refused, selectField, textAreaField, textField } from '../forms.js'
import { creditTypesOf } from '../customer/selling.js'
import { html, nothing } from '../html.js'
import { buttonLink, callout, card, facts } from '../parts.js'
import {
  change,
  hidden,
  keptKey,
  keyField,
  transactionPath,
  typeChoices,
  userOf,
  userPath,
  wrongField,
} from './pieces.js'

const PATH = '/admin/users/adjust'
const CONFIRM = `${PATH}/confirm`

/** Correct a balance by hand, up or down: first what, then a look at what it does, then it is done. */
export const adjustPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  show: (visit) => adjustForm(visit, userOf(visit), null),
}

/** Shows what the adjustment would do. Changes nothing. */
export const adjustLook: Page = {
  method: 'POST',
  path: PATH,
  role: 'admin',
  show: async (visit) => {
    const userId = visit.form.text('user')
    if (visit.form.isChecked('back')) return adjustForm(visit, userId, null)
    const tried = await attempt(async () => {
      parseInput(adjustCreditsInput.pick({ amount: true }), { amount: amountOf(visit) })
      return visit.run('getUserBalances', { userId })
    })
    if (tried.refused !== null) return adjustForm(visit, userId, tried.refused)
    if (visit.form.text('description') === '')
      return adjustForm(visit, userId, wrongField('description', 'say why: it stays in the ledger'))
    const creditType = visit.form.text('creditType')
    const balance = Object.hasOwn(tried.value, creditType) ? tried.value[creditType] : undefined
    if (balance === undefined) return adjustForm(visit, userId, wrongField('creditType', 'is none of the credit types'))
    const tooMuch = amountOf(visit) < 0 && balance.balance + amountOf(visit) < 0
    const message = `only ${visit.show.count(Math.max(0, balance.balance))} credits can be taken`
    return tooMuch ? adjustForm(visit, userId, wrongField('amount', message)) : confirmPage(visit, userId, balance)
  },
}

export const adjustAction: Page = {
  method: 'POST',
  path: CONFIRM,
  role: 'admin',
  show: async (visit) => {
    const { form: sent } = visit
    const userId = sent.text('user')
    const tried = await attempt(() =>
      visit.run('adjustCredits', {
        userId,
        creditType: sent.text('creditType'),
        amount: amountOf(visit),
        description: sent.text('description'),
        idempotencyKey: sent.key(),
      }),
    )
    if (tried.refused !== null) return adjustForm(visit, userId, tried.refused)
    return visit.redirect(transactionPath(tried.value.id), { notice: 'balance-adjusted' })
  },
}

/** `+50`, `−20` as people type them: with a sign of either kind. */
function amountOf({ form: sent }: Visit): number {
  const text = sent.text('amount').replace('−', '-')
  return text === '' ? Number.NaN : Number(text)
}

async function adjustForm(visit: Visit, userId: string, problem: Refused | null): Promise<Content> {
  const { form: sent, show } = visit
  const balances = await visit.run('getUserBalances', { userId })
  const types = await creditTypesOf(visit)
  const body = html`${hidden({ user: userId, key: keptKey(visit, problem) })}
  ${selectField({
    name: 'creditType',
    label: 'Credit type',
    value: sent.text('creditType') || visit.query.get('type'),
    choices: typeChoices(visit, types).map(({ value, label }) => ({
      value,
      label: `${label} (${show.count(balances[value]?.balance ?? 0)} available)`,
    })),
    problem,
  })}
  ${textField({
    name: 'amount',
    label: 'Change',
    hint: 'Credits to add, or with a minus to take: 50 or -20. Never more than is available.',
    type: 'number',
    step: 1,
    required: true,
    value: sent.text('amount'),
    problem,
  })}
  ${textAreaField({
    name: 'description',
    label: 'Reason',
    hint: 'Stands in the user’s history and in the ledger, with your name.',
    value: sent.text('description'),
    ...{ required: true, maxlength: 2000, rows: 2, problem },
  })}`
  return {
    title: 'Adjust balance',
    lead: `Of ${userId}`,
    parent: { path: '/admin/users', name: 'Users' },
    problem,
    fieldNames: { amount: 'Change', description: 'Reason' },
    body: card(
      'Correction',
      form(visit, { action: PATH, submit: 'Continue', body, beside: buttonLink(userPath(visit, userId), 'Cancel') }),
    ),
  }
}

function confirmPage(visit: Visit, userId: string, { balance, debt }: { balance: number; debt: number }): Content {
  const { form: sent, show } = visit
  const amount = amountOf(visit)
  const kept = { user: userId, creditType: sent.text('creditType'), amount, description: sent.text('description') }
  // What is owed is repaid first; whatever else the user owns can be spent again only when nothing is.
  const after = debt === 0 ? balance + amount : Math.min(0, amount - debt)
  const isFreed = debt > 0 && amount >= debt
  return {
    title: 'Adjust this balance?',
    lead: `Of ${userId}`,
    parent: { path: '/admin/users', name: 'Users' },
    body: card(
      'Before and after',
      html`<div class="stack">
        ${facts([
          ['Credit type', show.creditType(sent.text('creditType'))],
          ['Available before', show.count(balance)],
          ['Change', change(visit, amount)],
          [
            'Available after',
            isFreed
              ? html`<strong>At least ${show.count(amount - debt)}</strong>`
              : html`<strong>${show.count(after)}</strong>`,
          ],
          ['Reason', sent.text('description')],
        ])}
        ${
          debt === 0
            ? nothing
            : callout('warn', `${show.count(debt)} credits are owed`, html`<p>What you add repays them first.</p>`)
        }
        ${form(visit, {
          action: CONFIRM,
          submit: amount < 0 ? `Take ${show.count(-amount)} credits` : `Add ${show.count(amount)} credits`,
          look: amount < 0 ? 'danger' : 'primary',
          body: html`${keyField(sent.optionalText('key'))} ${hidden(kept)}`,
          beside: html`<button class="button plain" name="back" value="yes" formaction="${visit.path(PATH)}">
              Change it
            </button>
            ${buttonLink(userPath(visit, userId), 'Cancel')}`,
        })}
      </div>`,
    ),
  }
}
