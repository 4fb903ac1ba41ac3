import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { credits } from '@/lib/credits'
import { signedInUser } from '@/lib/signed-in-user'
import { EnrichForm } from './enrich-form'

export default async function BuyPage() {
  const userId = signedInUser(await headers())
  const [{ enrichment }, packages, transactions] = await Promise.all([
    credits.getAllBalances(userId),
    credits.marketplace.getPackages({ creditType: 'enrichment' }),
    credits.getTransactionHistory(userId, 'enrichment', 10),
  ])
  return (
    <main>
      <p className="soft">Signed in as {userId}</p>
      <p>
        <strong id="balance" data-balance={enrichment.balance}>
          {count(enrichment.balance)}
        </strong>{' '}
        enrichment credits
      </p>
      <h2>Buy</h2>
      <ul>
        {packages.map((pack) => (
          <li key={pack.id}>
            <span>
              <b>{pack.name}</b>
              <br />
              {count(pack.creditAmount)} credits
            </span>
            <form action={buy}>
              <input type="hidden" name="packageId" value={pack.id} />
              <button>Buy for {money(pack.price, pack.currency)}</button>
            </form>
          </li>
        ))}
      </ul>
      <h2>Spend</h2>
      <EnrichForm />
      <h2>History</h2>
      {transactions.length === 0 && <p className="soft">Nothing yet.</p>}
      <table>
        <tbody>
          {transactions.map(({ id, createdAt, description, amount, balanceAfter }) => (
            <tr key={id}>
              <td>{createdAt.toISOString().slice(11, 16)}</td>
              <td>{description}</td>
              <td>
                {amount > 0 ? '+' : '−'}
                {count(Math.abs(amount))}
              </td>
              <td>{count(balanceAfter)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </main>
  )
}

async function buy(form: FormData): Promise<void> {
  'use server'
  const { checkoutUrl } = await credits.marketplace.createCheckout({
    userId: signedInUser(await headers()),
    packageId: Number(form.get('packageId')),
    successUrl: '/success?session_id={CHECKOUT_SESSION_ID}', // Stripe fills in the id
    cancelUrl: '/',
  })
  redirect(checkoutUrl)
}

const count = (amount: number) => amount.toLocaleString('en')

/** `minor`: cents, or whatever the currency's smallest unit is. */
function money(minor: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}
