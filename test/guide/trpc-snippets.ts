import type { ShopClient } from '../trpc/shop.js'

/*
 * The guide's tRPC calls, line by line as they stand there; `trpc` is a tRPC client. Only lines marked `// ours` are
 * added.
 */

/** "Create Credit Packages" */
// prettier-ignore
export async function createPackage(trpc: ShopClient) {
await trpc.credits.createPackage.mutate({
  name: "Starter Pack - 100 Enrichment Credits",
  description: "Perfect for getting started",
  creditAmount: 100,
  price: 999, // $9.99 in cents
  creditType: "enrichment",
  isActive: true,
  sortOrder: 1,
});
}

/** "Admin: Manual Adjustment" */
// prettier-ignore
export async function adjust(trpc: ShopClient) {
// Add bonus credits
await trpc.credits.adjustCredits.mutate({
  userId: 123,
  amount: 100,
  creditType: "enrichment",
  description: "Bonus credits for feedback",
  metadata: { reason: "user_feedback" },
});

// Deduct credits (negative amount)
await trpc.credits.adjustCredits.mutate({
  userId: 123,
  amount: -50,
  creditType: "calling",
  description: "Refund for failed calls",
});
}

/** "Package Not Found" */
// prettier-ignore
export async function packageNotFound(trpc: ShopClient) {
try {
  await trpc.marketplace.createCheckout.mutate({ packageId: 999 });
} catch (error) {
  // TRPCError: "Package not found"
  return error // ours
}
return null // ours
}
