import type { UserIdType } from '../../src/ports/store.js'

/** Every table and view, by the name our statements use, with its name in the database. */
export const TABLE_NAMES = {
  userCredits: 'user_credits',
  creditTransactions: 'credit_transactions',
  creditCommands: 'credit_commands',
  creditGrants: 'credit_grants',
  creditOpenGrants: 'credit_open_grants',
  creditHolds: 'credit_holds',
  creditPackages: 'credit_packages',
  creditPurchases: 'credit_purchases',
  creditPurchaseReferences: 'credit_purchase_references',
  creditPaymentFacts: 'credit_payment_facts',
  creditQuarantine: 'credit_quarantine',
  creditCustomers: 'credit_customers',
  creditSubscriptions: 'credit_subscriptions',
  creditSchedules: 'credit_schedules',
  creditAutoTopups: 'credit_auto_topups',
  creditWebhookEvents: 'credit_webhook_events',
  creditOutbox: 'credit_outbox',
  creditLimitWindows: 'credit_limit_windows',
  creditUsageDaily: 'credit_usage_daily',
  creditUsageMarks: 'credit_usage_marks',
} as const

export type TableName = keyof typeof TABLE_NAMES

/** Where the tables are, ready to stand in a statement, and what kind of user ids they hold. */
export interface SqlTables {
  /** Quoted and qualified. */
  readonly names: Readonly<Record<TableName, string>>
  readonly userIdType: UserIdType
  /** Where `names` stand for what tables have of one user: the tables themselves, and his id in a statement. */
  readonly routed?: { readonly targets: Readonly<Record<TableName, string>>; readonly user: string }
}

/** Quote a name for SQL. Refuses what Postgres would cut off or can't hold. */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0') || new TextEncoder().encode(name).length > 63) {
    throw new Error(`Not a usable SQL name (1–63 bytes): ${JSON.stringify(name)}`)
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** Tables as our migrator makes them: plain names in a schema of their own, text user ids. */
export function ownTables(schema: string): SqlTables {
  const qualified = Object.entries(TABLE_NAMES).map(([key, name]) => [
    key,
    `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
  ])
  return { names: Object.fromEntries(qualified) as Record<TableName, string>, userIdType: 'text' }
}
