import { createTRPCReact } from '@trpc/react-query'
import type { ShopRouter } from '../trpc/shop.js'

export const trpc = createTRPCReact<ShopRouter>()

/*
 * The guide's React examples. Hooks only run inside components and never with `await`, so these four things of the guide
 * could not work and are changed here, and nothing else:
 *
 * 1. `await trpc.….useQuery()` is `trpc.….useQuery()`: a hook returns at once, and renders again with its data.
 * 2. `useMutation(input)` is `useMutation()` and, when the user acts, `mutateAsync(input)`: a mutation does not start by
 *    being rendered, and the argument of `useMutation` is its options.
 * 3. Data is undefined until it has arrived, so `balances.enrichment` is `balances?.enrichment` and `!check.hasSufficient`
 *    is `check && !check.hasSufficient`.
 * 4. What happens once (`alert`, redirecting) stands in a handler, since components render more than once.
 */

/** "Client-Side: Purchase Credits" */
// prettier-ignore
export function BuyCredits() {
// Get available packages
const { data: products } = trpc.marketplace.getProducts.useQuery();

// Create checkout session
const { mutateAsync } = trpc.marketplace.createCheckout.useMutation();

async function buy() {
const data = await mutateAsync({
  packageId: 1,
  successUrl: "https://myapp.com/success",
  cancelUrl: "https://myapp.com/marketplace",
});

// Redirect to Stripe Checkout
window.location.href = data.checkoutUrl;
}

return (
  <div>
    {products?.enrichment.map(({ id, name }) => <p key={id}>{name}</p>)}
    <button onClick={() => void buy()}>Buy</button>
  </div>
)
}

/** "Client-Side: Check Balance" */
// prettier-ignore
export function CheckBalance() {
// Get all balances
const { data: balances } = trpc.credits.getBalances.useQuery();
console.log(balances?.enrichment.balance); // 100

// Check if user has enough credits
const { data: check } = trpc.credits.checkBalance.useQuery({
  creditType: "enrichment",
  required: 50,
});

function enrich() {
if (check && !check.hasSufficient) {
  alert(`Need ${check.shortfall} more credits`);
}
}

return check && <button onClick={enrich}>Enrich</button>
}
