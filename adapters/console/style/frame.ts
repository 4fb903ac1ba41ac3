/** The page itself: text, header, navigation, headings. Spaces are multiples of 8 px (.5rem). */
export const FRAME = `
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; min-height: 100vh; font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); background: var(--page) }
h1, h2, h3, p, ul, dl, dd, figure { margin: 0 }
h1 { font-size: 1.75rem; line-height: 1.25; font-weight: 650; letter-spacing: -.02em; overflow-wrap: anywhere }
h2 { font-size: 1.0625rem; line-height: 1.5; font-weight: 600; overflow-wrap: anywhere }
h3 { font-size: 1rem; font-weight: 600; overflow-wrap: anywhere }
p { overflow-wrap: anywhere }
a { color: var(--accent); text-underline-offset: .2em; text-decoration-thickness: 1px }
a:hover { text-decoration-thickness: 2px }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: .25rem }
:target { scroll-margin-top: 1rem }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.soft { color: var(--soft) }
.small { font-size: .875rem }
.number, .figure { font-variant-numeric: tabular-nums }
.mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .875em; overflow-wrap: anywhere }
.skip { position: absolute; left: 1rem; top: -4rem; z-index: 1; padding: .5rem 1rem; border-radius: .5rem; background: var(--card); color: var(--accent) }
.skip:focus { top: .5rem }
.top { display: flex; align-items: center; gap: .5rem 1.5rem; padding: .75rem 1.5rem; border-bottom: 1px solid var(--line); background: var(--card) }
.brand { display: flex; align-items: center; gap: .625rem; min-width: 0; font-weight: 650; letter-spacing: -.01em; color: inherit; text-decoration: none; overflow-wrap: anywhere }
.brand svg { flex: none; width: 1.75rem; height: 1.75rem }
.brand .ground { fill: var(--fill) }
.brand .mark { fill: none; stroke: var(--on-fill); stroke-width: 2; stroke-linecap: round }
.top-end { display: flex; align-items: center; gap: 1.5rem; min-width: 0; margin-left: auto; font-size: .875rem }
.who { color: var(--soft); max-width: 16rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.frame { display: grid; grid-template-columns: 14rem minmax(0, 1fr); max-width: 76rem; margin: 0 auto }
.alone { display: block; max-width: 44rem; margin: 0 auto }
.side { padding: 2rem 0 2rem 1.5rem }
.side-name { margin: 1.5rem 0 .5rem .75rem; font-size: .75rem; font-weight: 600; letter-spacing: .04em; color: var(--soft) }
.side nav:first-child .side-name { margin-top: 0 }
.side ul { list-style: none; padding: 0; display: grid; gap: .125rem }
.side a { display: block; padding: .5rem .75rem; border-radius: .5rem; font-size: .9375rem; color: var(--ink); text-decoration: none }
.side a:hover { background: var(--hover) }
.side a[aria-current] { font-weight: 600; color: var(--accent); background: var(--hover) }
main { min-width: 0; padding: 2rem 1.5rem 4rem }
main:focus { outline: none }
.head { display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between; gap: 1rem; margin-bottom: 1.5rem }
.head-text { display: grid; gap: .25rem; min-width: 0 }
.lead { color: var(--soft) }
.parent { font-size: .875rem }
.head-actions { display: flex; flex-wrap: wrap; gap: .5rem }
.stack { display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr) }
.pair { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)) }
@media (max-width: 52rem) {
  .frame { display: block }
  .side { padding: .5rem 0 0; border-bottom: 1px solid var(--line); background: var(--card) }
  .side-name { margin: .25rem 1rem 0 }
  .side ul { display: flex; gap: .25rem; padding: .25rem .75rem .5rem; overflow-x: auto; scrollbar-width: thin }
  .side a { white-space: nowrap }
  .top { padding: .75rem 1rem }
  .top-end { gap: 1rem }
  .who { max-width: 8rem }
  main { padding: 1.5rem 1rem 3rem }
  h1 { font-size: 1.5rem }
}
@media (max-width: 34rem) { .who { display: none } .top-end { flex: none } }
@media (prefers-reduced-motion: no-preference) { a, .button { transition: background-color .12s, border-color .12s } }
@media print { .side, .top-end, .skip, form, .button { display: none } .frame { display: block } }
`
