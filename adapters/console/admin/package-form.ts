import { InvalidInputError, PackageNotFoundError } from '../../../src/errors.js'
import { parseInput } from '../../../src/inputs.js'
import { createPackageInput } from '../../../src/packages.js'
import { creditTypesOf } from '../customer/selling.js'
import type { Content, Page, ProcedureInput, ProcedureOutput, Visit } from '../frame.js'
import { attempt, checkboxField, form, type Refused, selectField, textAreaField, textField } from '../forms.js'
import { packageCard } from '../package-card.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { buttonLink, callout, card } from '../parts.js'
import { hidden, keptKey, keyField, typeChoices } from './pieces.js'

const PATH = '/admin/packages'

type CreditPackage = ProcedureOutput<'getPackages'>[number]
type Draft = ProcedureInput<'createPackage'>

export const newPackagePage: Page = {
  method: 'GET',
  path: `${PATH}/new`,
  role: 'admin',
  show: (visit) => packageForm(visit, { known: null, values: BLANK }),
}

export const editPackagePage: Page = {
  method: 'GET',
  path: `${PATH}/{id}`,
  role: 'admin',
  show: async (visit) => {
    const known = await packageOf(visit, Number(visit.fields.id))
    return packageForm(visit, { known, values: valuesOf(visit, known), preview: known })
  },
}

/** Saves a package, or only shows how it will look. */
export const savePackageAction: Page = {
  method: 'POST',
  path: `${PATH}/save`,
  role: 'admin',
  show: async (visit) => {
    const id = visit.form.number('id')
    const known = id === undefined ? null : await packageOf(visit, id)
    const values = sentValues(visit)
    if (visit.form.isChecked('preview')) {
      const tried = await attempt(async () => parseInput(createPackageInput, draftOf(visit)))
      const preview = tried.refused === null ? { ...tried.value, creditType: tried.value.creditType ?? '' } : undefined
      return packageForm(visit, { known, values, preview, problem: tried.refused })
    }
    const tried = await attempt(() => save(visit, known))
    if (tried.refused !== null) return packageForm(visit, { known, values, problem: tried.refused })
    return visit.redirect(PATH, { notice: 'package-saved' })
  },
}

async function save(visit: Visit, known: CreditPackage | null): Promise<void> {
  const draft = draftOf(visit)
  if (known !== null) {
    await visit.run('updatePackage', { ...draft, id: known.id })
    return
  }
  // A key of the form's own makes a second click find what the first one made.
  const key = visit.form.optionalText('packageKey') ?? visit.form.key()
  try {
    await visit.run('createPackage', { ...draft, key })
  } catch (error) {
    if (!(error instanceof InvalidInputError) || !error.issues.some(({ path }) => path === 'key')) throw error
    const made = (await visit.run('getPackages', { includeInactive: true })).find((pack) => pack.key === key)
    if (made === undefined || !isSame(made, draft)) throw asField(error)
  }
}

/** The field that is called otherwise in the form, where `key` is the form's own. */
function asField(error: InvalidInputError): InvalidInputError {
  return new InvalidInputError(
    error.issues.map((issue) => (issue.path === 'key' ? { ...issue, path: 'packageKey' } : issue)),
  )
}

function isSame(made: CreditPackage, draft: Draft): boolean {
  const { name, description, creditAmount, price, currency, creditType, sortOrder, isActive, stripePriceId } = made
  const there = { name, description, creditAmount, price, currency, creditType, sortOrder, isActive, stripePriceId }
  return Object.entries(there).every(([field, value]) => draft[field as keyof Draft] === value)
}

async function packageOf(visit: Visit, id: number): Promise<CreditPackage> {
  const packages = await visit.run('getPackages', { includeInactive: true })
  const found = packages.find((pack) => pack.id === id)
  if (found === undefined) throw new PackageNotFoundError()
  return found
}

/** The fields as they stand in the form, whatever they are. */
interface Values {
  name: string
  description: string
  creditType: string
  creditAmount: string
  price: string
  currency: string
  sortOrder: string
  stripePriceId: string
  packageKey: string
  isActive: boolean
}

const BLANK: Values = {
  ...{ name: '', description: '', creditType: '', creditAmount: '', price: '', currency: 'usd', sortOrder: '0' },
  ...{ stripePriceId: '', packageKey: '', isActive: true },
}

function valuesOf({ show }: Visit, pack: CreditPackage): Values {
  return {
    name: pack.name,
    description: pack.description ?? '',
    creditType: pack.creditType,
    creditAmount: String(pack.creditAmount),
    price: show.amountIn(pack.price, pack.currency),
    currency: pack.currency,
    sortOrder: String(pack.sortOrder),
    stripePriceId: pack.stripePriceId ?? '',
    packageKey: '',
    isActive: pack.isActive,
  }
}

function sentValues({ form: { text, isChecked } }: Visit): Values {
  return {
    name: text('name'),
    description: text('description'),
    creditType: text('creditType'),
    creditAmount: text('creditAmount'),
    price: text('price'),
    currency: text('currency'),
    sortOrder: text('sortOrder'),
    stripePriceId: text('stripePriceId'),
    packageKey: text('packageKey'),
    isActive: isChecked('isActive'),
  }
}

/** @throws {InvalidInputError} The price is none of its currency. */
function draftOf({ form: sent, show }: Visit): Draft {
  const { text, optionalText, number, isChecked } = sent
  const currency = text('currency').toLowerCase()
  if (!/^[a-z]{3}$/.test(currency))
    throw new InvalidInputError([{ path: 'currency', message: 'must be an ISO 4217 currency code' }])
  // A comma is what half of the world types for the point.
  const price = show.minorOf(text('price').replace(',', '.'), currency)
  if (Number.isNaN(price)) {
    const message = `must be a price such as ${show.amountIn(999, currency)}`
    throw new InvalidInputError([{ path: 'price', message }])
  }
  return {
    name: text('name'),
    description: optionalText('description') ?? null,
    creditType: text('creditType'),
    creditAmount: number('creditAmount') ?? Number.NaN,
    price,
    currency,
    sortOrder: number('sortOrder') ?? 0,
    stripePriceId: optionalText('stripePriceId') ?? null,
    isActive: isChecked('isActive'),
  }
}

type Preview = Pick<
  CreditPackage,
  'name' | 'description' | 'creditAmount' | 'price' | 'currency' | 'creditType' | 'isActive'
>

const FIELD_NAMES = {
  creditAmount: 'Credits',
  sortOrder: 'Place in the list',
  stripePriceId: 'Price at the provider',
  packageKey: 'Key',
}

interface Shown {
  known: CreditPackage | null
  values: Values
  preview?: Preview | undefined
  problem?: Refused | null
}

async function packageForm(visit: Visit, { known, values, preview, problem = null }: Shown): Promise<Content> {
  const types = typeChoices(visit, await creditTypesOf(visit))
  return {
    title: known === null ? 'New package' : known.name,
    parent: { path: PATH, name: 'Packages' },
    problem,
    fieldNames: FIELD_NAMES,
    body: html`<div class="pair">
      ${card(
        'Package',
        form(visit, {
          action: `${PATH}/save`,
          submit: 'Save',
          body: fields(visit, { known, values, types, problem }),
          beside: html`<button class="button plain" name="preview" value="yes">Preview</button>
            ${buttonLink(visit.path(PATH), 'Cancel')}`,
        }),
      )}
      ${card(
        'What customers will see',
        preview === undefined
          ? html`<p class="note">Choose “Preview” to see the card as it will look, before anything is saved.</p>`
          : previewOf(visit, preview),
      )}
    </div>`,
  }
}

function fields(
  visit: Visit,
  { known, values, types, problem }: Shown & { types: { value: string; label: string }[] },
): SafeHtml {
  const own = problem ?? null
  const text = (name: keyof Values, label: string, more: object = {}) =>
    textField({ name, label, value: String(values[name]), problem: own, ...more })
  const key = { hint: 'Optional. Your own stable name for it, such as starter-2026; never changes.', maxlength: 255 }
  return html`${known === null ? keyField(keptKey(visit, problem ?? null)) : hidden({ id: known.id })}
  ${text('name', 'Name', { required: true, maxlength: 255 })}
  ${textAreaField({
    ...{ name: 'description', label: 'Description', value: values.description, rows: 2, maxlength: 2000, problem: own },
  })}
  ${selectField({
    ...{ name: 'creditType', label: 'Credit type', value: values.creditType, choices: types, problem: own },
  })}
  ${text('creditAmount', 'Credits', { type: 'number', min: 1, step: 1, required: true })}
  ${text('price', 'Price', { required: true, hint: 'In the currency’s main unit, such as 9.99.', maxlength: 16 })}
  ${text('currency', 'Currency', { required: true, hint: 'Three letters, such as usd.', maxlength: 3 })}
  ${text('sortOrder', 'Place in the list', { type: 'number', step: 1, hint: 'Lower comes first.' })}
  ${text('stripePriceId', 'Price at the provider', { hint: 'Optional. A one-time price that charges exactly this.', maxlength: 255 })}
  ${known === null ? text('packageKey', 'Key', key) : nothing}
  ${checkboxField({ name: 'isActive', label: 'On sale', isChecked: values.isActive })}`
}

/** The customer's card, of nothing but words: nothing can be bought from it. */
function previewOf({ show }: Visit, pack: Preview): SafeHtml {
  return html`<div class="stack">
    ${pack.isActive ? nothing : callout('calm', 'Not on sale: customers don’t see it')}
    <p class="soft small">${show.creditType(pack.creditType)}</p>
    ${packageCard(show, pack, 'preview')}
  </div>`
}
