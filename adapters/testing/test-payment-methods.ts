import type Stripe from 'stripe'

/** What happens when somebody pays with a payment method. */
export type PaymentResult =
  | { kind: 'succeeds' }
  /** A bank debit: `processing` first, the outcome comes later. */
  | { kind: 'settles_later' }
  | { kind: 'needs_authentication' }
  | { kind: 'declined'; code: string; declineCode: string; adviceCode: string; message: string }

/** How money goes back over it. */
type RefundResult = 'succeeds' | 'pending_then_succeeds' | 'succeeds_then_fails'

interface TestPaymentMethod {
  /** The type of payment method: `card`. */
  type: 'card' | 'us_bank_account' | 'sepa_debit'
  pays: PaymentResult
  refunds: RefundResult
}

const card = (pays: PaymentResult, refunds: RefundResult = 'succeeds'): TestPaymentMethod => ({
  type: 'card',
  pays,
  refunds,
})

const declined = (code: string, declineCode: string, adviceCode: string, message: string): TestPaymentMethod =>
  card({ kind: 'declined', code, declineCode, adviceCode, message })

/** Stripe's own test payment methods, as far as they matter here; any other `pm_…` behaves like `pm_card_visa`. */
const TEST_PAYMENT_METHODS: Record<string, TestPaymentMethod> = {
  pm_card_visa: card({ kind: 'succeeds' }),
  pm_card_mastercard: card({ kind: 'succeeds' }),
  pm_card_authenticationRequired: card({ kind: 'needs_authentication' }),
  pm_card_refundFail: card({ kind: 'succeeds' }, 'succeeds_then_fails'),
  pm_card_pendingRefund: card({ kind: 'succeeds' }, 'pending_then_succeeds'),
  pm_card_visa_chargeDeclined: declined(
    'card_declined',
    'generic_decline',
    'try_again_later',
    'Your card was declined.',
  ),
  pm_card_chargeDeclined: declined('card_declined', 'generic_decline', 'try_again_later', 'Your card was declined.'),
  pm_card_chargeDeclinedInsufficientFunds: declined(
    'card_declined',
    'insufficient_funds',
    'try_again_later',
    'Your card has insufficient funds.',
  ),
  pm_card_chargeDeclinedLostCard: declined('card_declined', 'lost_card', 'do_not_try_again', 'Your card was declined.'),
  pm_card_chargeDeclinedStolenCard: declined(
    'card_declined',
    'stolen_card',
    'do_not_try_again',
    'Your card was declined.',
  ),
  pm_card_chargeDeclinedExpiredCard: declined(
    'expired_card',
    'expired_card',
    'confirm_card_data',
    'Your card has expired.',
  ),
  pm_card_chargeDeclinedIncorrectCvc: declined(
    'incorrect_cvc',
    'incorrect_cvc',
    'confirm_card_data',
    "Your card's security code is incorrect.",
  ),
  pm_card_chargeDeclinedProcessingError: declined(
    'processing_error',
    'processing_error',
    'try_again_later',
    'An error occurred while processing your card. Try again in a little bit.',
  ),
  pm_usBankAccount_success: { type: 'us_bank_account', pays: { kind: 'settles_later' }, refunds: 'succeeds' },
  pm_sepaDebit_success: { type: 'sepa_debit', pays: { kind: 'settles_later' }, refunds: 'pending_then_succeeds' },
}

export const DEFAULT_PAYMENT_METHOD = 'pm_card_visa'

/** How the payment method with this id behaves. */
export function testPaymentMethod(id: string): TestPaymentMethod {
  const known = Object.hasOwn(TEST_PAYMENT_METHODS, id) ? TEST_PAYMENT_METHODS[id] : undefined
  return known ?? card({ kind: 'succeeds' })
}

/** `charge.payment_method_details` for it. */
export function paymentMethodDetails(id: string): Stripe.Charge.PaymentMethodDetails {
  const { type } = testPaymentMethod(id)
  if (type !== 'card') return { type }
  return {
    type,
    card: {
      amount_authorized: null,
      authorization_code: null,
      brand: id === 'pm_card_mastercard' ? 'mastercard' : 'visa',
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      electronic_commerce_indicator: null,
      exp_month: 12,
      exp_year: 2034,
      funding: 'credit',
      installments: null,
      last4: '4242',
      mandate: null,
      network: 'visa',
      network_transaction_id: null,
      regulated_status: 'unregulated',
      three_d_secure: null,
      transaction_link_id: null,
      wallet: null,
    },
  } satisfies Stripe.Charge.PaymentMethodDetails
}
