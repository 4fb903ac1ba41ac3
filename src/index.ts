export { CreditService } from './credit-service.js'
export type { VerifyReport } from './audits.js'
export type { BalanceCheck, CreditBalance } from './credit-balance.js'
export type { CreditServiceOptions, LimitOption } from './credit-service-options.js'
export type {
  AccountInput,
  AddCreditsInput,
  AdjustCreditsInput,
  DeductCreditsInput,
  RefundCreditsInput,
  UserId,
} from './credit-inputs.js'
export type { CreditHold } from './credit-hold.js'
export type { CreditTransaction, OperationUse } from './credit-transaction.js'
export { createCheckoutInput } from './checkouts.js'
export type {
  CheckoutPages,
  CheckoutResult,
  CheckoutStatus,
  CheckoutVerification,
  CreateCheckoutInput,
} from './checkouts.js'
export { DEFAULT_CREDIT_TYPES } from './credit-types.js'
export type { CreditTypeField, DefaultCreditType } from './credit-types.js'
export * from './errors.js'
export type { CreditEvent, EventCallbacks } from './event-delivery.js'
export type { CreditGrant, VoidGrantInput } from './grants.js'
export { voidGrantInput } from './grants.js'
export { captureHoldInput, extendHoldInput, getHoldInput, holdCreditsInput, releaseHoldInput } from './holds.js'
export type { CaptureHoldInput, ExtendHoldInput, GetHoldInput, HoldCreditsInput, HoldInput } from './holds.js'
export type { Violation } from './ledger/audit.js'
export type { ClawbackPolicy } from './ledger/clawback.js'
export type { EventPayloads, HostEventKind as EventKind } from './ledger/event.js'
export type { ExplainedPart } from './ledger/explain.js'
export type { Allocation, BurnDownReason, GrantSource } from './ledger/grant.js'
export type { HoldStatus } from './ledger/hold.js'
export type { RefundPolicy } from './ledger/refund.js'
export type { TransactionType } from './ledger/transaction.js'
export type { Marketplace } from './marketplace.js'
export type { LegacyProduct, Products } from './marketplace.js'
export { quoteInput, spendInput } from './operations.js'
export type { Operation, OperationParams, Quote, QuoteInput, SpendInput } from './operations.js'
export { createPackageInput, listPackagesInput, updatePackageInput, upsertPackageInput } from './packages.js'
export type { CreatePackageInput, ListPackagesInput, UpdatePackageInput, UpsertPackageInput } from './packages.js'
export {
  addCreditsInput,
  adjustCreditsInput,
  checkBalanceInput,
  deductCreditsInput,
  historyInput,
  listTransactionsInput,
  refundCreditsInput,
  usageInput,
} from './inputs.js'
export type { Plan, PlanGrantOption, PlanInput, StartPlanInput, UserPlan } from './plans.js'
export type { BalanceCache, CachedBalance } from './ports/cache.js'
export type { Clock } from './ports/clock.js'
export type { Logger } from './ports/logger.js'
export type { CreditPackage } from './ports/package-store.js'
export type {
  Checkout,
  CheckoutRequest,
  PaymentEvent,
  PaymentProvider,
  PaymentReversals,
  VerifiedEvent,
} from './ports/payments.js'
export type { CreditStore } from './ports/store.js'
export type { CreditMovement, Telemetry, TelemetryCall } from './ports/telemetry.js'
export { getPurchaseInput, getPurchasesInput } from './purchases.js'
export type { GetPurchaseInput, GetPurchasesInput, PurchasePage, UserPurchase } from './purchases.js'
export { getTransactionInput } from './reports.js'
export type { CreditMetrics, Explanation, Forgotten, GetTransactionInput } from './reports.js'
export { listQuarantineInput, releaseQuarantineInput } from './quarantine.js'
export type { ListQuarantineInput, QuarantineEntry, ReleaseQuarantineInput } from './quarantine.js'
export type { Finding, FindingKind, ReconcileInput, ReconcileProgress, ReconcileReport } from './reconciliation.js'
export { withRetry } from './retry.js'
export type { RetryOptions } from './retry.js'
export type { DueReport, RunDueInput } from './run-due.js'
export { cancelSubscriptionInput, portalInput, saveCardInput, subscribeInput } from './subscriptions.js'
export type {
  CancelSubscriptionInput,
  PortalInput,
  SaveCardInput,
  SubscribeInput,
  UserSubscription,
} from './subscriptions.js'
export { configureAutoTopupInput } from './topup-settings.js'
export type { AutoTopupView, ConfigureAutoTopupInput } from './topup-settings.js'
export { addManyInput } from './additions.js'
export type { AddManyOptions } from './additions.js'
export { deductManyInput, transferCreditsInput } from './transfers.js'
export type { DeductManyOptions, Transfer, TransferCreditsInput } from './transfers.js'
export type { UsageStats } from './usage-stats.js'
export { findUsersInput } from './users.js'
export type { FindUsersInput, FoundUser, UserPage } from './users.js'
export type { WebhookReceiver } from './webhook.js'
export type { HeldWork, WithHoldInput, WithHoldResult } from './with-hold.js'
