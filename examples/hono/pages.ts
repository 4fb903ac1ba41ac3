import type { CheckoutStatus, CreditPackage, CreditTransaction } from 'creditkit'
import { html, raw } from 'hono/html'

interface BuyPage {
  userId: string
  balance: number
  packages: CreditPackage[]
  transactions: CreditTransaction[]
}

export function buyPage({ userId, balance, packages, transactions }: BuyPage) {
  const cards = packages.map(
    (pack) => html`
      <li>
        <span><b>${pack.name}</b><br />${count(pack.creditAmount)} credits</span>
        <form method="post" action="/buy">
          <input type="hidden" name="packageId" value="${pack.id}" />
          <button>Buy for ${money(pack.price, pack.currency)}</button>
        </form>
      </li>
    `,
  )
  const rows = transactions.map(
    ({ createdAt, description, amount, balanceAfter }) => html`
      <tr>
        <td>${createdAt.toISOString().slice(11, 16)}</td>
        <td>${description}</td>
        <td>${amount > 0 ? '+' : '−'}${count(Math.abs(amount))}</td>
        <td>${count(balanceAfter)}</td>
      </tr>
    `,
  )
  return layout(html`
    <p class="soft">Signed in as ${userId}</p>
    <p><strong id="balance" data-balance="${balance}">${count(balance)}</strong> enrichment credits</p>
    <h2>Buy</h2>
    <ul>
      ${cards}
    </ul>
    <h2>Spend</h2>
    <form id="enrich">
      <label>Leads <input name="leads" type="number" min="1" value="10" /></label>
      <button>Enrich</button>
      <output></output>
    </form>
    <h2>History</h2>
    <table>
      ${
        rows.length > 0
          ? rows
          : html`<tr>
              <td class="soft">Nothing yet.</td>
            </tr>`
      }
    </table>
    <script>
      const form = document.getElementById('enrich')
      form.addEventListener('submit', async (event) => {
        event.preventDefault()
        // The job has its name before the first try, so sending it again is charged once.
        const job = { jobId: crypto.randomUUID(), leads: Number(form.leads.value) }
        const body = JSON.stringify(job)
        const headers = { 'content-type': 'application/json' }
        const response = await fetch('/api/enrich', { method: 'POST', headers, body })
        if (response.ok) return location.reload()
        form.querySelector('output').textContent = (await response.json()).message
      })
    </script>
  `)
}

const HEADLINES: Record<CheckoutStatus, string> = {
  fulfilled: 'Thank you! Your credits are there.',
  processing: 'Your payment is on its way. Credits follow as soon as it arrives.',
  open: 'This checkout has not been paid yet.',
  expired: 'This checkout has expired. Nothing was charged.',
  failed: 'The payment failed. Nothing was charged.',
  refunded: 'This payment was refunded.',
}

export function successPage(status: CheckoutStatus, credits: string) {
  return layout(html`
    <h2>${HEADLINES[status]}</h2>
    <p class="soft">${count(Number(credits))} enrichment credits</p>
    <p><a href="/">Back to your credits</a></p>
  `)
}

function layout(body: ReturnType<typeof html>) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Credits</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <h1>Credits</h1>
        ${body}
      </body>
    </html>`
}

const STYLE = raw(`
  :root { color-scheme: light dark }
  body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif }
  h2 { margin: 2rem 0 .5rem; font-size: 1.1rem }
  strong { font-size: 2.5rem; line-height: 1 }
  ul { margin: 0; padding: 0; list-style: none }
  li { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .75rem 0; border-top: 1px solid #8884 }
  button, input { padding: .5rem .9rem; border: 1px solid #8888; border-radius: .5rem; font: inherit }
  button { border-color: #4f46e5; color: #fff; background: #4f46e5; cursor: pointer }
  input[type=number] { width: 6rem }
  output { display: block; margin-top: .5rem; color: #d33 }
  table { width: 100%; border-collapse: collapse }
  td { padding: .4rem .5rem .4rem 0; border-top: 1px solid #8884; overflow-wrap: anywhere }
  td:nth-child(n + 3) { text-align: right; font-variant-numeric: tabular-nums }
  .soft { opacity: .7 }
`)

const count = (amount: number) => amount.toLocaleString('en')

/** `minor`: cents, or whatever the currency's smallest unit is. */
function money(minor: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}
