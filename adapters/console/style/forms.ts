/** Forms, fields and buttons. Controls are at least 44 px high on touch screens' widths. */
export const FORMS = `
.form { display: grid; gap: 1.25rem; max-width: 34rem }
.field { display: grid; grid-template-columns: minmax(0, 1fr); gap: .25rem; min-width: 0 }
.field label, legend { font-weight: 600; font-size: .9375rem }
.hint { font-size: .875rem; color: var(--soft) }
.error { font-size: .875rem; font-weight: 600; color: var(--bad) }
input, select, textarea { width: 100%; min-height: 2.75rem; margin-top: .25rem; padding: .5rem .75rem; border: 1px solid var(--edge); border-radius: .5rem; font: inherit; color: inherit; background: var(--card) }
.wrong input, .wrong select, .wrong textarea { border-color: var(--bad); border-width: 2px }
.check { grid-template-columns: auto minmax(0, 1fr); align-items: center; gap: .25rem .75rem }
.check input { width: 1.25rem; min-height: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--fill) }
.check .hint { grid-column: 2 }
.buttons { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem }
.button { display: inline-flex; align-items: center; justify-content: center; min-height: 2.75rem; padding: .5rem 1.125rem; border: 1px solid var(--edge); border-radius: .5rem; font: inherit; font-size: .9375rem; font-weight: 600; line-height: 1.25; text-decoration: none; color: var(--ink); background: var(--card); cursor: pointer }
.button:hover { background: var(--hover) }
.button.primary { border-color: var(--fill); color: var(--on-fill); background: var(--fill) }
.button.primary:hover { border-color: var(--ink); box-shadow: inset 0 0 0 1px var(--on-fill) }
.button.danger { border-color: var(--bad); color: var(--bad) }
.button.danger:hover { background: var(--bad-ground) }
.filters { display: flex; flex-wrap: wrap; align-items: end; gap: 1rem; margin-bottom: 1.5rem }
.filters .field { flex: 1 1 8rem }
.inline { display: flex; flex-wrap: wrap; align-items: end; gap: .75rem; max-width: none }
.inline .field { flex: 0 1 7rem }
.summary { margin-bottom: 1.5rem }
.summary:focus { outline: none }
.summary:focus .callout { box-shadow: 0 0 0 2px currentColor }
.tabs { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0 }
.tabs a { display: block; padding: .375rem .875rem; border: 1px solid var(--line); border-radius: 2rem; font-size: .9375rem; color: var(--ink); background: var(--card); text-decoration: none }
.tabs a:hover { background: var(--hover) }
.tabs a[aria-current] { border-color: var(--accent); color: var(--accent); font-weight: 600 }
@media (max-width: 40rem) { .tabs a { padding: .5rem 1rem } .filters input[type="date"] { padding: .5rem; font-size: .875rem } }
`
