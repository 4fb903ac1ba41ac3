import { CreditService } from 'creditkit'
import { stripePayments } from 'creditkit/adapters/stripe'

/** The one service this app uses. Nothing is opened before its first call. */
export const credits = new CreditService({
  // What users can buy and spend. A credit type that is not on the list does not compile.
  creditTypes: ['enrichment', 'calling', 'scraping'],
  // Reads STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET and APP_URL, and says what is missing.
  payments: stripePayments(),
  // No `store`: DATABASE_URL if it is set, else an embedded Postgres (in CREDITS_DATA_DIR, or in memory).
})
