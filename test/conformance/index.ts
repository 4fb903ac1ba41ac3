export { testCache, type OpenedCache } from './cache.js'
export { testCreditStore, type CreditStoreSuiteOptions } from './credit-store.js'
export {
  testPaymentProvider,
  type Disturbance,
  type OpenedPayments,
  type PaymentActs,
  type SavedCard,
  type SignedWebhook,
} from './payment-provider.js'
