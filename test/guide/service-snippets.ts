import { CreditService } from 'creditkit'

/*
 * The guide's service examples, line by line as they stand there (its double quotes and semicolons included). Each is a
 * function of what the guide leaves open; only lines marked `// ours` are added. The one line that is not run as it
 * stands is its import: `import { CreditService } from "@/server/services/credit.service";` is the one above.
 */

/** "Server-Side: Deduct Credits" */
// prettier-ignore
export async function deductForEnrichment(userId: number) {
const creditService = new CreditService();

// Deduct credits for enrichment
await creditService.deductCredits(
  userId,
  10, // amount
  "enrichment",
  "Enriched 10 leads from list #123",
  "123", // referenceId (lead list ID)
  "lead_list",
  {
    leadListId: 123,
    leadsProcessed: 10,
  }
);
await creditService.close(); // ours
}

/** "Server-Side: Refund Credits" */
// prettier-ignore
export async function refund(creditService: CreditService, transactionId: string) {
// Refund a specific transaction
await creditService.refundCredits(transactionId);

// This will:
// 1. Check if transaction can be refunded
// 2. Add credits back to user account
// 3. Create refund transaction record
// 4. Invalidate cache
}

/** "Test Credit Operations" */
// prettier-ignore
export async function testCreditOperations() {
const creditService = new CreditService();
const userId = 1;

// Add credits
await creditService.addCredits(
  userId,
  100,
  "enrichment",
  "Test purchase",
  "purchase"
);

// Check balance
const balance = await creditService.getBalance(userId, "enrichment");
console.log(`Balance: ${balance}`); // 100

// Deduct credits
await creditService.deductCredits(
  userId,
  10,
  "enrichment",
  "Test usage"
);

// Get transaction history
const history = await creditService.getTransactionHistory(userId);
console.log(history);

// Get usage stats
const stats = await creditService.getUsageStats(
  userId,
  "enrichment",
  new Date("2025-01-01"),
  new Date()
);
console.log(stats);
await creditService.close(); // ours
}

/** "Insufficient Credits" */
// prettier-ignore
export async function insufficientCredits(creditService: CreditService, userId: number) {
try {
  await creditService.deductCredits(userId, 100, "enrichment", "test");
} catch (error) {
  // Error: "Insufficient credits. Required: 100, Available: 50"
  return error // ours
}
return null // ours
}

/** "Invalid Amounts" */
// prettier-ignore
export async function invalidAmounts(creditService: CreditService, userId: number) {
try {
  await creditService.addCredits(userId, -10, "enrichment", "test", "purchase");
} catch (error) {
  // Error: "Amount must be positive"
  return error // ours
}
return null // ours
}

/** "Duplicate Refund" */
// prettier-ignore
export async function duplicateRefund(creditService: CreditService, transactionId: string) {
try {
  await creditService.refundCredits(transactionId);
  await creditService.refundCredits(transactionId); // Second attempt
} catch (error) {
  // Error: "Transaction has already been refunded"
  return error // ours
}
return null // ours
}

/** "Cache Issues"; instead of its import from "@/server/services/cache.service", `cacheService` is `credits.cache`. */
// prettier-ignore
export async function invalidateCache(cacheService: CreditService['cache'], userId: number) {
// Manually invalidate cache
await cacheService.invalidate(`user_credits:${userId}:enrichment`);
}

/** "Monitoring & Analytics" */
// prettier-ignore
export async function monitor(creditService: CreditService, userId: number, startDate: Date, endDate: Date) {
const stats = await creditService.getUsageStats(
  userId,
  "enrichment",
  startDate,
  endDate
);

console.log({
  totalUsed: stats.totalUsed,
  totalPurchased: stats.totalPurchased,
  currentBalance: stats.balance,
  averageDaily: stats.averageDaily,
  transactionCount: stats.transactions,
});
}
