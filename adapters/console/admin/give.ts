import { InvalidInputError } from '../../../src/errors.js'
import type { Content, Page, Visit } from '../frame.js'
import { attempt, form, type Refused, selectField, textAreaField, textField } from '../forms.js'
import { creditTypesOf } from '../customer/selling.js'
import { html } from '../html.js'
import { buttonLink, card } from '../parts.js'
import { hidden, keptKey, keyField, transactionPath, typeChoices, userOf, userPath } from './pieces.js'

const PATH = '/admin/users/give'

/** What kind of credits somebody gives: how they are counted, and when they are used. */
const KINDS = {
  promotional: {
    label: 'A gift: used first, never refunded in money',
    input: { source: 'promotional', transactionType: 'adjustment' },
  },
  goodwill: { label: 'Making good for something', input: { source: 'adjustment', transactionType: 'adjustment' } },
  purchase: { label: 'Paid for outside of the shop', input: { source: 'purchase', transactionType: 'purchase' } },
} as const

/** Give somebody credits of their own expiry and kind. */
export const givePage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  show: (visit) => giveForm(visit, userOf(visit), null),
}

export const giveAction: Page = {
  method: 'POST',
  path: PATH,
  role: 'admin',
  show: async (visit) => {
    const { form: sent } = visit
    const userId = sent.text('user')
    const tried = await attempt(() => {
      const kind = Object.entries(KINDS).find(([name]) => name === sent.text('kind'))?.[1] ?? KINDS.promotional
      return visit.run('addCredits', {
        userId,
        creditType: sent.text('creditType'),
        amount: sent.number('amount') ?? Number.NaN,
        description: sent.text('description'),
        expiresAt: endOfDay(visit, sent.text('expiresAt')),
        idempotencyKey: sent.key(),
        ...kind.input,
      })
    })
    if (tried.refused !== null) return giveForm(visit, userId, tried.refused)
    return visit.redirect(transactionPath(tried.value.id), { notice: 'credits-given' })
  },
}

/** The credits can be used on the day itself: they end when the next one begins. */
function endOfDay({ show }: Visit, isoDay: string): Date | null {
  if (isoDay === '') return null
  if (show.startOfDay(isoDay) === null) throw new InvalidInputError([{ path: 'expiresAt', message: 'must be a day' }])
  return show.startOfDay(show.dayAfter(isoDay))
}

async function giveForm(visit: Visit, userId: string, problem: Refused | null): Promise<Content> {
  const { form: sent, show, now } = visit
  const types = await creditTypesOf(visit)
  // Refuses what can't be anybody's id, before anybody fills in a form for it.
  await visit.run('getUserBalances', { userId })
  const body = html`${keyField(keptKey(visit, problem))} ${hidden({ user: userId })}
  ${selectField({
    name: 'creditType',
    label: 'Credit type',
    value: sent.text('creditType') || visit.query.get('type'),
    choices: typeChoices(visit, types),
    problem,
  })}
  ${textField({
    ...{ name: 'amount', label: 'Credits', type: 'number', min: 1, step: 1, required: true, problem },
    value: sent.text('amount'),
  })}
  ${selectField({
    name: 'kind',
    label: 'Kind',
    value: sent.text('kind'),
    choices: Object.entries(KINDS).map(([value, { label }]) => ({ value, label })),
    problem,
  })}
  ${textField({
    name: 'expiresAt',
    label: 'Can be used until',
    hint: `The last day, ${show.timeZone}. Empty: they never expire.`,
    type: 'date',
    min: show.today(now),
    value: sent.text('expiresAt'),
    problem,
  })}
  ${textAreaField({
    name: 'description',
    label: 'Reason',
    hint: 'Stands in the user’s history.',
    value: sent.text('description'),
    ...{ required: true, maxlength: 2000, rows: 2, problem },
  })}`
  return {
    title: 'Give credits',
    lead: `To ${userId}`,
    parent: { path: '/admin/users', name: 'Users' },
    problem,
    fieldNames: { amount: 'Credits', description: 'Reason', expiresAt: 'Can be used until' },
    body: card(
      'What they get',
      form(visit, {
        action: PATH,
        submit: 'Give credits',
        body,
        beside: buttonLink(userPath(visit, userId), 'Cancel'),
      }),
    ),
  }
}
