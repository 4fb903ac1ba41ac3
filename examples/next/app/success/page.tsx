import { type CheckoutStatus, isCreditError } from 'creditkit'
import { headers } from 'next/headers'
import Link from 'next/link'
import { notFound } from 'next/navigation'
import { credits } from '@/lib/credits'
import { signedInUser } from '@/lib/signed-in-user'

const HEADLINES: Record<CheckoutStatus, string> = {
  fulfilled: 'Thank you! Your credits are there.',
  processing: 'Your payment is on its way. Credits follow as soon as it arrives.',
  open: 'This checkout has not been paid yet.',
  expired: 'This checkout has expired. Nothing was charged.',
  failed: 'The payment failed. Nothing was charged.',
  refunded: 'This payment was refunded.',
}

// Buyers often arrive before the webhook does: `verifyCheckout` asks Stripe, and fulfils what is paid.
export default async function SuccessPage({ searchParams }: { searchParams: Promise<{ session_id?: string }> }) {
  const { session_id: sessionId = 'none' } = await searchParams
  const userId = signedInUser(await headers())
  const { status, metadata } = await credits.marketplace.verifyCheckout({ userId, sessionId }).catch((error) => {
    if (isCreditError(error, 'CHECKOUT_NOT_FOUND')) notFound()
    throw error
  })
  return (
    <main>
      <h2>{HEADLINES[status]}</h2>
      <p className="soft">{Number(metadata.creditAmount).toLocaleString('en')} enrichment credits</p>
      <p>
        <Link href="/">Back to your credits</Link>
      </p>
    </main>
  )
}
