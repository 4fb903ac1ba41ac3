import type { Page } from '../frame.js'
import { textField } from '../forms.js'
import { creditTypesOf } from '../customer/selling.js'
import { html, nothing } from '../html.js'
import { buttonLink, card, empty } from '../parts.js'
import { filterForm, onward, table, userLink, userPath } from './pieces.js'

const PATH = '/admin/users'
const PER_PAGE = 25

/** Find somebody by the beginning of their id. */
export const usersPage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  nav: 'Users',
  show: async (visit) => {
    const { show } = visit
    const search = (visit.query.get('q') ?? '').trim()
    const cursor = visit.query.get('cursor')
    const [types, { users, nextCursor }] = await Promise.all([
      creditTypesOf(visit),
      visit.run('findUsers', { search, limit: PER_PAGE, cursor }),
    ])
    const openAnyway = search !== '' && buttonLink(userPath(visit, search), `Open “${search}” all the same`)
    const none =
      search === ''
        ? empty('Nobody has credits yet', 'Users appear here with their first credits, bought or given.')
        : empty(
            'Nobody found',
            'Ids are compared from their beginning, to the letter. Somebody without credits is not in the list, but can be given some.',
            openAnyway,
          )
    const list = table(
      'Users',
      [
        { head: 'User', isRowHead: true, cell: ({ userId }) => userLink(visit, userId) },
        ...types.map((type) => ({
          head: show.creditType(type),
          isNumber: true,
          cell: (user: (typeof users)[number]) => show.count(user.balances[type] ?? 0),
        })),
      ],
      users,
    )
    const pages = onward(visit, PATH, {
      query: { q: search },
      next: nextCursor === null ? null : { cursor: nextCursor },
      isLater: cursor !== null,
    })
    return {
      title: 'Users',
      lead: 'Who has credits, and how many they can spend now.',
      body: html`${filterForm(
        visit,
        PATH,
        textField({ name: 'q', label: 'User id begins with', type: 'search', value: search, maxlength: 255 }),
        'Find',
      )}
      ${card(search === '' ? 'All users' : 'Found', html`${users.length === 0 ? none : list} ${pages}`)}
      ${
        users.length > 0 && search !== '' && !users.some(({ userId }) => userId === search)
          ? html`<p class="note">
              Nobody of exactly this id? ${html`<a href="${userPath(visit, search)}">Open it all the same</a>`}.
            </p>`
          : nothing
      }`,
    }
  },
}
