/** What parts.ts and chart.ts make. */
export const PARTS = `
.card { padding: 1.5rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--card); box-shadow: var(--shadow) }
.card-head { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem 1rem; margin-bottom: 1rem }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)) }
.grid.stretch { grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)) }
.grid > .card { display: flex; flex-direction: column }
.push { margin-top: auto; padding-top: 1.5rem }
.card > .big-line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .5rem; margin-bottom: 1rem }
.price { font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums }
.card > h3 + .note { margin-top: .25rem }
.card > .note + .big-line, .card > h3 + .big-line { margin: 1rem 0 .25rem }
.big { font-size: 2.5rem; line-height: 1.1; font-weight: 650; letter-spacing: -.03em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.badge { display: inline-block; padding: .0625rem .625rem; border-radius: 1rem; font-size: .8125rem; font-weight: 600; line-height: 1.5rem; white-space: nowrap; color: var(--calm); background: var(--calm-ground) }
.badge.good { color: var(--good); background: var(--good-ground) }
.badge.warn { color: var(--warn); background: var(--warn-ground) }
.badge.bad { color: var(--bad); background: var(--bad-ground) }
.callout { display: grid; gap: .25rem; padding: 1rem 1.25rem; border-radius: .75rem; border: 1px solid currentColor; color: var(--calm); background: var(--calm-ground) }
.callout.good { color: var(--good); background: var(--good-ground) }
.callout.warn { color: var(--warn); background: var(--warn-ground) }
.callout.bad { color: var(--bad); background: var(--bad-ground) }
.callout a { color: inherit }
.callout ul { padding-left: 1.25rem }
.callout-title { font-weight: 600 }
.empty { display: grid; justify-items: center; gap: .5rem; padding: 2.5rem 1rem; text-align: center; color: var(--soft) }
.empty-title { font-weight: 600; color: var(--ink) }
.empty .button { margin-top: .75rem }
.facts { display: grid; gap: .75rem }
.facts > div { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(10rem, 100%), 1fr)); gap: 0 1rem }
.facts dt { color: var(--soft) }
.facts dd { min-width: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
.stats { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(8rem, 100%), 1fr)) }
.stat-name { font-size: .875rem; color: var(--soft) }
.stat-figure { font-size: 1.5rem; line-height: 1.25; font-weight: 600; letter-spacing: -.01em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.table { width: 100%; border-collapse: collapse; font-size: .9375rem }
.table th, .table td { padding: .75rem 1rem .75rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line); overflow-wrap: anywhere; font-weight: inherit }
.table thead th { padding-top: 0; border-top: 0; font-size: .8125rem; font-weight: 600; color: var(--soft); white-space: nowrap }
.table .number { text-align: right; white-space: nowrap }
.table .number + :not(.number) { padding-left: 1.5rem }
.table tr > :last-child { padding-right: 0 }
.table time { white-space: nowrap }
.scroll { overflow-x: auto }
.pager { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; margin-top: 1.5rem }
.list { list-style: none; padding: 0; display: grid }
.list > li { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; padding: .75rem 0; border-top: 1px solid var(--line) }
.list > li:first-child { border-top: 0; padding-top: 0 }
.list > li > span { min-width: 0; overflow-wrap: anywhere }
.list > li > :last-child:not(:first-child) { flex: none; text-align: right; font-variant-numeric: tabular-nums }
.plus { color: var(--good) }
.list .note { display: block }
.note { font-size: .875rem; color: var(--soft) }
.chart svg { display: block; width: 100%; height: 11rem }
.chart .bar { fill: var(--accent) }
.chart .bar.second { fill: var(--soft) }
.chart .axis { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke }
.chart-scale, .chart-days { display: flex; justify-content: space-between; gap: .5rem; font-size: .75rem; color: var(--soft); font-variant-numeric: tabular-nums }
.chart-days { margin: .25rem 0 .75rem }
.chart figcaption { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-bottom: .5rem; font-size: .875rem; color: var(--soft) }
.key { display: inline-block; width: .75rem; height: .75rem; margin-right: .5rem; border-radius: .1875rem; background: var(--accent) }
.key.second { background: var(--soft) }
details > summary { cursor: pointer; width: fit-content; font-size: .9375rem; color: var(--accent) }
details[open] > summary { margin-bottom: .75rem }
@media (max-width: 40rem) {
  .card { padding: 1.25rem 1rem }
  .facts > div { grid-template-columns: minmax(0, 1fr) }
  .table, .table tbody, .table tr, .table td, .table tbody th { display: block }
  .table thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  .table tr { padding: .75rem 0; border-top: 1px solid var(--line) }
  .table tbody tr:first-child { border-top: 0; padding-top: 0 }
  .table td, .table tbody th { display: grid; grid-template-columns: minmax(6rem, 38%) minmax(0, 1fr); gap: 1rem; padding: .25rem 0 !important; border: 0; text-align: left }
  .table .number { text-align: left; white-space: normal }
  .table td::before, .table tbody th::before { content: attr(data-head); color: var(--soft); font-size: .875rem; font-weight: 400 }
  .table time { white-space: normal }
  .table td:empty { display: none }
  .ledger tbody tr { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1rem }
  .table.ledger td, .table.ledger tbody th { display: block; padding: 0 !important }
  .table.ledger td::before, .table.ledger tbody th::before { content: none }
  .ledger [data-head="What"] { grid-area: 1 / 1 }
  .table.ledger [data-head="Amount"] { grid-area: 1 / 2; font-weight: 600; text-align: right }
  .ledger [data-head="When"] { grid-area: 2 / 1 }
  .table.ledger [data-head="Balance after"] { grid-area: 2 / 2; text-align: right }
  .table.ledger [data-head="Balance after"]::before { content: "Balance "; font-size: inherit }
  .ledger [data-head="Credits"] { grid-area: 3 / 1 }
  .table.ledger :is([data-head="When"], [data-head="Balance after"], [data-head="Credits"]) { font-size: .875rem; color: var(--soft) }
  .chart-days > :nth-child(even):not(:last-child) { display: none }
}
`
