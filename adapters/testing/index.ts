export { testClock, type TestClock } from './test-clock.js'
export { signedWebhook, type SignedWebhookOptions } from './signed-webhook.js'
export {
  fakeStripe,
  type DisputeInput,
  type EndpointOptions,
  type FakeStripe,
  type FakeStripeOptions,
  type PaymentReference,
  type RefundInput,
} from './fake-stripe.js'
export type { ApiCall } from './api-calls.js'
export type { CheckoutOutcome, CompleteOptions } from './checkout-actions.js'
export type { Failure } from './failures.js'
export type { DisputeStatus } from './resources/disputes.js'
export type { RefundStatus } from './resources/refunds.js'
export type { Delivery, DeliverOptions, DeliveryMode, WebhookHandler } from './webhook-delivery.js'
