import type Stripe from 'stripe'

/** What happens when somebody pays with a payment method. */
export type PaymentResult =
  | { kind: 'succeeds' }
  /** A bank debit: `processing` first, the outcome comes later. */
  | { kind: 'settles_later' }
  | { kind: 'needs_authentication' }
  | Declined

/** Why a bank says no. */
export interface Declined {
  kind: 'declined'
  code: string
  declineCode: string
  adviceCode: string
  message: string
}

/** How money goes back over it. */
type RefundResult = 'succeeds' | 'pending_then_succeeds' | 'succeeds_then_fails'

/** How a test payment method behaves. */
interface TestPaymentMethod {
  /** The type of payment method: `card`. */
  type: 'card' | 'us_bank_account' | 'sepa_debit'
  last4: string
  /** With the buyer there. */
  pays: PaymentResult
  /** What becomes of a payment that settles later, where nobody decides it by hand; default it succeeds. */
  settles?: 'failed'
  /** Without the buyer; default as `pays`. */
  paysOffSession?: PaymentResult
  /** Saving it asks for an authentication, after which it pays without one. */
  isFreedBySetup?: boolean
  /** What attaching it to a customer or saving it comes to; default it succeeds. */
  saves?: Declined
  /** What happens once the buyer has authenticated; default the payment succeeds. */
  afterAuthentication?: Declined
  refunds: RefundResult
}

const SUCCEEDS: PaymentResult = { kind: 'succeeds' }
const AUTHENTICATES: PaymentResult = { kind: 'needs_authentication' }

const card = (last4: string, pays: PaymentResult, rest: Partial<TestPaymentMethod> = {}): TestPaymentMethod => ({
  type: 'card',
  last4,
  pays,
  refunds: 'succeeds',
  ...rest,
})

const decline = (code: string, declineCode: string, adviceCode: string, message: string): Declined => ({
  kind: 'declined',
  code,
  declineCode,
  adviceCode,
  message,
})

/** A card that declines every payment, and that cannot be attached to a customer either. */
const declining = (last4: string, why: Declined): TestPaymentMethod => card(last4, why, { saves: why })

/** A decline the bank gives no reason for. */
export const DECLINED = decline('card_declined', 'generic_decline', 'try_again_later', 'Your card was declined.')
const NO_FUNDS = decline('card_declined', 'insufficient_funds', 'try_again_later', 'Your card has insufficient funds.')
const PROCESSING_ERROR = 'An error occurred while processing your card. Try again in a little bit.'
const BAD_CVC = "Your card's security code is incorrect."

/** What a payment without the buyer comes to when the bank wants to see the buyer. */
export const AUTHENTICATION_REQUIRED = decline(
  'authentication_required',
  'authentication_required',
  'confirm_card_data',
  'Your card was declined. This transaction requires authentication.',
)

/** Stripe's own test payment methods, as far as they matter here. https://docs.stripe.com/testing */
const TEST_PAYMENT_METHODS: Record<string, TestPaymentMethod> = {
  pm_card_visa: card('4242', SUCCEEDS),
  pm_card_visa_debit: card('5556', SUCCEEDS),
  pm_card_mastercard: card('4444', SUCCEEDS),
  pm_card_amex: card('8431', SUCCEEDS),
  pm_card_us: card('4242', SUCCEEDS),
  pm_card_bypassPending: card('0077', SUCCEEDS),
  pm_card_authenticationRequired: card('3184', AUTHENTICATES),
  pm_card_threeDSecure2Required: card('3220', AUTHENTICATES),
  pm_card_authenticationRequiredOnSetup: card('3155', AUTHENTICATES, { isFreedBySetup: true }),
  pm_card_authenticationRequiredSetupForOffSession: card('0446', AUTHENTICATES, { paysOffSession: SUCCEEDS }),
  pm_card_authenticationRequiredChargeDeclinedInsufficientFunds: card('3178', AUTHENTICATES, {
    paysOffSession: NO_FUNDS,
    afterAuthentication: NO_FUNDS,
  }),
  pm_card_chargeCustomerFail: card('0341', DECLINED),
  pm_card_createDispute: card('0259', SUCCEEDS),
  pm_card_createDisputeInquiry: card('1976', SUCCEEDS),
  pm_card_refundFail: card('5126', SUCCEEDS, { refunds: 'succeeds_then_fails' }),
  pm_card_pendingRefund: card('7726', SUCCEEDS, { refunds: 'pending_then_succeeds' }),
  pm_card_visa_chargeDeclined: declining('0002', DECLINED),
  pm_card_chargeDeclined: declining('0002', DECLINED),
  pm_card_chargeDeclinedInsufficientFunds: declining('9995', NO_FUNDS),
  pm_card_chargeDeclinedLostCard: declining(
    '9987',
    decline('card_declined', 'lost_card', 'do_not_try_again', 'Your card was declined.'),
  ),
  pm_card_chargeDeclinedStolenCard: declining(
    '9979',
    decline('card_declined', 'stolen_card', 'do_not_try_again', 'Your card was declined.'),
  ),
  pm_card_chargeDeclinedFraudulent: declining(
    '0019',
    decline('card_declined', 'fraudulent', 'do_not_try_again', 'Your card was declined.'),
  ),
  pm_card_chargeDeclinedExpiredCard: declining(
    '0069',
    decline('expired_card', 'expired_card', 'confirm_card_data', 'Your card has expired.'),
  ),
  pm_card_chargeDeclinedIncorrectCvc: declining(
    '0127',
    decline('incorrect_cvc', 'incorrect_cvc', 'confirm_card_data', BAD_CVC),
  ),
  pm_card_chargeDeclinedProcessingError: declining(
    '0119',
    decline('processing_error', 'processing_error', 'try_again_later', PROCESSING_ERROR),
  ),
  pm_usBankAccount_success: {
    type: 'us_bank_account',
    last4: '6789',
    pays: { kind: 'settles_later' },
    refunds: 'succeeds',
  },
  pm_sepaDebit_success: {
    type: 'sepa_debit',
    last4: '3000',
    pays: { kind: 'settles_later' },
    refunds: 'pending_then_succeeds',
  },
  pm_sepaDebit_fail: {
    type: 'sepa_debit',
    last4: '3456',
    pays: { kind: 'settles_later' },
    settles: 'failed',
    refunds: 'succeeds',
  },
}

export const DEFAULT_PAYMENT_METHOD = 'pm_card_visa'

/** Whether this is the name of a test payment method rather than the id of a payment method. */
export function isTestPaymentMethod(id: string): boolean {
  return Object.hasOwn(TEST_PAYMENT_METHODS, id)
}

/** The debit of this account: Stripe's test IBANs that fail, fail. */
export function testPaymentMethodOfIban(iban: string): string {
  return /3202$|123456$/.test(iban) ? 'pm_sepaDebit_fail' : 'pm_sepaDebit_success'
}

/** The test payment method with these last digits, for calls that send a card number or a token (`tok_visa`). */
export function testPaymentMethodOfCard(numberOrToken: string): string | undefined {
  const name = numberOrToken.replace(/^tok_/, 'pm_card_')
  if (isTestPaymentMethod(name)) return name
  return Object.keys(TEST_PAYMENT_METHODS).find((id) => TEST_PAYMENT_METHODS[id]?.last4 === numberOrToken.slice(-4))
}

/** How the payment method with this name behaves; an unknown one like `pm_card_visa`. */
export function testPaymentMethod(name: string): TestPaymentMethod {
  const known = isTestPaymentMethod(name) ? TEST_PAYMENT_METHODS[name] : undefined
  return known ?? card('4242', SUCCEEDS)
}

/** The card behind a test payment method, as payment methods and charges show it. */
export function cardOf(name: string) {
  const brand = name === 'pm_card_mastercard' ? 'mastercard' : name === 'pm_card_amex' ? 'amex' : 'visa'
  return {
    brand,
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
    country: 'US',
    exp_month: 12,
    exp_year: 2034,
    funding: name === 'pm_card_visa_debit' ? 'debit' : 'credit',
    last4: testPaymentMethod(name).last4,
  }
}

/** `charge.payment_method_details` for it. */
export function paymentMethodDetails(name: string): Stripe.Charge.PaymentMethodDetails {
  const { type } = testPaymentMethod(name)
  if (type !== 'card') return { type }
  return {
    type,
    card: {
      ...cardOf(name),
      amount_authorized: null,
      authorization_code: null,
      electronic_commerce_indicator: null,
      installments: null,
      mandate: null,
      network: cardOf(name).brand,
      network_transaction_id: null,
      regulated_status: 'unregulated',
      three_d_secure: null,
      transaction_link_id: null,
      wallet: null,
    },
  } satisfies Stripe.Charge.PaymentMethodDetails
}
