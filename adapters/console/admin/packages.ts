import type { Page, ProcedureOutput, Visit } from '../frame.js'
import { form } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, buttonLink, empty } from '../parts.js'
import { table } from './pieces.js'

const PATH = '/admin/packages'

type CreditPackage = ProcedureOutput<'getPackages'>[number]

/** What is on sale, and what was. */
export const packagesPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Packages',
  show: async (visit) => {
    const packages = await visit.run('getPackages', { includeInactive: true })
    const create = (look: 'primary' | 'plain') => buttonLink(visit.path(`${PATH}/new`), 'New package', look)
    const none = empty(
      'Nothing is on sale yet',
      'A package is a number of credits at a price. Customers buy it on the page “Buy credits”.',
      create('primary'),
    )
    return {
      title: 'Packages',
      lead: 'What customers can buy. A change counts from the next sale on.',
      actions: packages.length === 0 ? undefined : create('primary'),
      body: html`<div class="card">${packages.length === 0 ? none : packagesTable(visit, packages)}</div>`,
    }
  },
}

/** Take a package off sale, or put it back. */
export const saleAction: Page = {
  method: 'POST',
  path: `${PATH}/sale`,
  role: 'admin',
  show: async (visit) => {
    const isActive = visit.form.text('sale') === 'on'
    await visit.run('updatePackage', { id: visit.form.number('id') ?? Number.NaN, isActive })
    return visit.redirect(PATH, { notice: 'sale-changed' })
  },
}

function packagesTable(visit: Visit, packages: readonly CreditPackage[]): SafeHtml {
  const { show } = visit
  return table(
    'Packages',
    [
      {
        head: 'Package',
        isRowHead: true,
        cell: ({ id, name, key }) =>
          html`<a href="${visit.path(`${PATH}/${id}`)}">${name}</a>
            ${key === null || key.startsWith('console-') ? nothing : html`<br /><span class="mono soft">${key}</span>`}`,
      },
      {
        head: 'Credits',
        isNumber: true,
        cell: ({ creditAmount, creditType }) =>
          html`${show.count(creditAmount)} <span class="soft small">${show.creditType(creditType)}</span>`,
      },
      { head: 'Price', isNumber: true, cell: ({ price, currency }) => show.money(price, currency) },
      { head: 'Order', isNumber: true, cell: ({ sortOrder }) => show.count(sortOrder) },
      { head: 'State', cell: ({ isActive }) => (isActive ? badge('On sale', 'good') : badge('Not on sale')) },
      { head: 'Action', cell: (pack) => saleForm(visit, pack) },
    ],
    packages,
  )
}

function saleForm(visit: Visit, { id, name, isActive }: CreditPackage): SafeHtml {
  const submit = isActive ? 'Take off sale' : 'Put on sale'
  return form(visit, {
    action: `${PATH}/sale`,
    submit,
    look: 'plain',
    label: `${submit}: ${name}`,
    body: html`<input type="hidden" name="id" value="${id}" />
      <input type="hidden" name="sale" value="${isActive ? 'off' : 'on'}" />`,
  })
}
