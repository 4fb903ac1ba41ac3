import { GrantNotFoundError, HoldNotFoundError } from '../../../src/errors.js'
import type { Content, Page, Visit } from '../frame.js'
import { attempt, form, type Refused, textAreaField } from '../forms.js'
import { html } from '../html.js'
import { buttonLink, callout, card } from '../parts.js'
import { grantFacts, holdFacts } from './account.js'
import { hidden, keptKey, keyField, userOf, userPath } from './pieces.js'

/* Ending a grant and releasing a hold: each asks once more, as neither can be undone. */

const VOID = '/admin/users/void'
const RELEASE = '/admin/users/release'
const PARENT = { path: '/admin/users', name: 'Users' }

export const voidPage: Page = {
  method: 'GET',
  path: VOID,
  role: 'admin',
  show: (visit) => voidForm(visit, userOf(visit), visit.query.get('grant') ?? '', null),
}

export const voidAction: Page = {
  method: 'POST',
  path: VOID,
  role: 'admin',
  show: async (visit) => {
    const { form: sent } = visit
    const [userId, grantId] = [sent.text('user'), sent.text('grant')]
    const tried = await attempt(() =>
      visit.run('voidGrant', { grantId, reason: sent.text('reason'), idempotencyKey: sent.key() }),
    )
    if (tried.refused !== null) return voidForm(visit, userId, grantId, tried.refused)
    return visit.redirect('/admin/users/account', { user: userId, notice: 'grant-ended' })
  },
}

async function voidForm(visit: Visit, userId: string, grantId: string, problem: Refused | null): Promise<Content> {
  const grants = await visit.run('getUserGrants', { userId })
  const grant = grants.find(({ id }) => id === grantId.toLowerCase())
  // Others' grants, and such of which nothing is left, are not told apart.
  if (grant === undefined) throw new GrantNotFoundError()
  const { show } = visit
  const reason = textAreaField({
    name: 'reason',
    label: 'Reason',
    hint: 'Stands in the user’s history and in the ledger, with your name.',
    value: visit.form.text('reason'),
    ...{ required: true, maxlength: 2000, rows: 2, problem },
  })
  return {
    title: 'End this grant?',
    parent: PARENT,
    problem,
    body: card(
      'The grant',
      html`<div class="stack">
        ${grantFacts(visit, grant)}
        ${callout('warn', `${show.count(grant.remaining)} credits will be gone`, html`<p>This can’t be undone. Credits that holds have set aside can still be used by them.</p>`)}
        ${form(visit, {
          action: VOID,
          submit: 'End the grant',
          look: 'danger',
          body: html`${keyField(keptKey(visit, problem))} ${hidden({ user: userId, grant: grant.id })} ${reason}`,
          beside: buttonLink(userPath(visit, userId), 'Cancel'),
        })}
      </div>`,
    ),
  }
}

export const releasePage: Page = {
  method: 'GET',
  path: RELEASE,
  role: 'admin',
  show: (visit) => releaseForm(visit, userOf(visit), visit.query.get('hold') ?? '', null),
}

export const releaseAction: Page = {
  method: 'POST',
  path: RELEASE,
  role: 'admin',
  show: async (visit) => {
    const { form: sent } = visit
    const [userId, holdId] = [sent.text('user'), sent.text('hold')]
    const tried = await attempt(() => visit.run('releaseHold', { holdId, idempotencyKey: sent.key() }))
    if (tried.refused !== null) return releaseForm(visit, userId, holdId, tried.refused)
    return visit.redirect('/admin/users/account', { user: userId, notice: 'hold-released' })
  },
}

async function releaseForm(visit: Visit, userId: string, holdId: string, problem: Refused | null): Promise<Content> {
  const holds = await visit.run('getUserHolds', { userId })
  const hold = holds.find(({ id }) => id === holdId.toLowerCase())
  if (hold === undefined) throw new HoldNotFoundError()
  return {
    title: 'Release this hold?',
    parent: PARENT,
    problem,
    body: card(
      'The hold',
      html`<div class="stack">
        ${holdFacts(visit, hold)}
        ${callout(
          'warn',
          'The work it was made for can no longer be charged to it',
          html`<p>Its credits go back to the user. Release it only if that work has ended or never will.</p>`,
        )}
        ${form(visit, {
          action: RELEASE,
          submit: 'Release the hold',
          look: 'danger',
          body: html`${keyField(keptKey(visit, problem))} ${hidden({ user: userId, hold: hold.id })}`,
          beside: buttonLink(userPath(visit, userId), 'Cancel'),
        })}
      </div>`,
    ),
  }
}
