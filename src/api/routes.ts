/**
 * Method and path of every procedure, below the door's base path. A table of nothing but data: the browser's client reads
 * it, too. `{name}` is a field of the input; a GET's other fields go into the query string, else into a JSON body.
 * `keyed`: takes an idempotency key, so that a repeat has no second effect.
 */
export const ROUTES = {
  getBalances: 'GET /balances',
  getBalance: 'GET /balance',
  checkBalance: 'GET /balance/check',
  getTransactionHistory: 'GET /history',
  listTransactions: 'GET /transactions',
  getTransaction: 'GET /transactions/{transactionId}',
  explain: 'GET /transactions/{transactionId}/explanation',
  getUsageStats: 'GET /usage',
  getGrants: 'GET /grants',
  getHolds: 'GET /holds',
  getPlan: 'GET /plan',
  quote: 'POST /quotes',

  getPackages: 'GET /packages',
  getProducts: 'GET /products',
  createCheckout: 'POST /checkouts keyed',
  purchaseCredits: 'POST /purchases keyed',
  verifyCheckout: 'GET /checkouts/{sessionId}',
  getPurchases: 'GET /purchases',
  getPurchase: 'GET /purchases/{purchaseId}',
  subscribe: 'POST /subscriptions keyed',
  getSubscriptions: 'GET /subscriptions',
  cancelSubscription: 'POST /subscriptions/{subscriptionId}/cancel',
  createPortalSession: 'POST /portal-sessions',
  createCardSetup: 'POST /card-setups keyed',
  getAutoTopup: 'GET /auto-topup',
  configureAutoTopup: 'PUT /auto-topup',

  findUsers: 'GET /admin/users',
  getUserBalances: 'GET /admin/balances',
  listUserTransactions: 'GET /admin/transactions',
  getUserUsageStats: 'GET /admin/usage',
  getUserGrants: 'GET /admin/grants',
  getUserHolds: 'GET /admin/holds',
  getUserPlan: 'GET /admin/plan',
  getUserPurchases: 'GET /admin/purchases',
  getUserSubscriptions: 'GET /admin/subscriptions',
  getUserAutoTopup: 'GET /admin/auto-topup',

  addCredits: 'POST /admin/grants keyed',
  deductCredits: 'POST /admin/deductions keyed',
  adjustCredits: 'POST /admin/adjustments keyed',
  refundCredits: 'POST /admin/transactions/{transactionId}/refund keyed',
  transferCredits: 'POST /admin/transfers keyed',
  voidGrant: 'POST /admin/grants/{grantId}/void keyed',
  holdCredits: 'POST /admin/holds keyed',
  captureHold: 'POST /admin/holds/{holdId}/capture keyed',
  extendHold: 'POST /admin/holds/{holdId}/extend keyed',
  releaseHold: 'POST /admin/holds/{holdId}/release keyed',
  spend: 'POST /admin/spendings keyed',
  startPlan: 'POST /admin/plans/start keyed',
  changePlan: 'POST /admin/plans/change keyed',
  endPlan: 'POST /admin/plans/end keyed',

  createPackage: 'POST /admin/packages',
  updatePackage: 'PATCH /admin/packages/{id}',
  fulfillCheckoutSession: 'POST /admin/checkouts/{sessionId}/fulfill',
  listQuarantine: 'GET /admin/quarantine',
  releaseQuarantine: 'POST /admin/quarantine/{quarantineId}/release',
  reconcile: 'POST /admin/reconciliations',
  getMetrics: 'GET /admin/metrics',
  verify: 'POST /admin/verifications',
  rebuild: 'POST /admin/rebuilds',
  runDue: 'POST /admin/due-runs',
  anonymizeUser: 'POST /admin/anonymizations',
} as const

/** What can be called: the method of a client, and the `operationId` in the OpenAPI document. */
export type ProcedureName = keyof typeof ROUTES

/** Where the payment provider's webhook arrives, as the door has no procedure for it: its body is checked raw. */
export const WEBHOOK_PATH = '/webhook'
