import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import type { PaymentFact, PurchaseOrigin, PurchaseStatus, QuarantineEntry } from '../../../src/ledger/purchase.js'
import type { JsonObject } from '../../../src/ledger/transaction.js'
import { credits, moment, type CreditTable, type Place, type UserIdColumn } from './place.js'

/** Packages, what was bought of them, and the money that came and went. */
export interface SellingTables<S extends string | undefined, P extends string, U extends UserIdColumn> {
  creditPackages: CreditTable<S, P, 'credit_packages', ReturnType<typeof creditPackagesColumns>>
  creditPurchases: CreditTable<S, P, 'credit_purchases', ReturnType<typeof creditPurchasesColumns<U>>>
  creditPurchaseReferences: CreditTable<
    S,
    P,
    'credit_purchase_references',
    ReturnType<typeof creditPurchaseReferencesColumns<U>>
  >
  creditPaymentFacts: CreditTable<S, P, 'credit_payment_facts', ReturnType<typeof creditPaymentFactsColumns<U>>>
  /** A payment may be nobody's that we know: its user ids are text, without the host's foreign key. */
  creditQuarantine: CreditTable<S, P, 'credit_quarantine', ReturnType<typeof creditQuarantineColumns>>
  creditCustomers: CreditTable<S, P, 'credit_customers', ReturnType<typeof creditCustomersColumns<U>>>
}

export function sellingTables<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>): SellingTables<S, P, U> {
  return {
    creditPackages: table(`${prefix}credit_packages` as const, creditPackagesColumns(), (t) => [
      unique(`${prefix}credit_packages_key_key`).on(t.key),
      check(`${prefix}credit_packages_amount_check`, sql`credit_amount > 0`),
      check(`${prefix}credit_packages_price_check`, sql`price >= 0`),
    ]),
    creditPurchases: table(`${prefix}credit_purchases` as const, creditPurchasesColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_purchases_pkey`, columns: [t.userId, t.id] }),
      check(
        `${prefix}credit_purchases_clawed_check`,
        sql`withheld >= 0 and absorbed >= 0 and absorbed + withheld <= clawed and clawed <= credits`,
      ),
      index(`${prefix}credit_purchases_id`).on(t.id),
      index(`${prefix}credit_purchases_user`).on(t.userId, t.createdAt, t.id),
      index(`${prefix}credit_purchases_unsettled`)
        .on(t.createdAt)
        .where(sql`status in ('pending', 'processing')`),
      index(`${prefix}credit_purchases_invoice`)
        .on(t.userId, t.invoiceId)
        .where(sql`invoice_id is not null`),
    ]),
    creditPurchaseReferences: table(
      `${prefix}credit_purchase_references` as const,
      creditPurchaseReferencesColumns(userId()),
    ),
    creditPaymentFacts: table(`${prefix}credit_payment_facts` as const, creditPaymentFactsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_payment_facts_pkey`, columns: [t.userId, t.purchaseId, t.id] }),
    ]),
    creditQuarantine: table(`${prefix}credit_quarantine` as const, creditQuarantineColumns(), (t) => [
      index(`${prefix}credit_quarantine_open`)
        .on(t.id)
        .where(sql`resolved_at is null`),
    ]),
    creditCustomers: table(`${prefix}credit_customers` as const, creditCustomersColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_customers_pkey`, columns: [t.userId, t.provider, t.livemode] }),
      index(`${prefix}credit_customers_customer`).on(t.customerId),
    ]),
  }
}

function creditPackagesColumns() {
  return {
    id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
    key: text('key'),
    name: text('name').notNull(),
    description: text('description'),
    creditAmount: credits('credit_amount').notNull(),
    price: credits('price').notNull(),
    currency: text('currency').notNull(),
    creditType: text('credit_type').notNull(),
    isActive: boolean('is_active').notNull(),
    sortOrder: integer('sort_order').notNull(),
    metadata: jsonb('metadata').$type<JsonObject>(),
    stripePriceId: text('stripe_price_id'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
  }
}

function creditPurchasesColumns<U extends UserIdColumn>(userId: U) {
  return {
    credits: credits('credits').notNull(),
    unitPriceMinor: credits('unit_price_minor').notNull(),
    paidMinor: credits('paid_minor'),
    clawed: credits('clawed').notNull(),
    withheld: credits('withheld').notNull(),
    absorbed: credits('absorbed').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    fulfilledAt: moment('fulfilled_at'),
    id: uuid('id').notNull(),
    packageId: integer('package_id'),
    quantity: integer('quantity').notNull(),
    livemode: boolean('livemode').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    origin: text('origin').$type<PurchaseOrigin>().notNull(),
    packageName: text('package_name').notNull(),
    currency: text('currency').notNull(),
    status: text('status').$type<PurchaseStatus>().notNull(),
    provider: text('provider').notNull(),
    sessionId: text('session_id'),
    paymentId: text('payment_id'),
    chargeId: text('charge_id'),
    invoiceId: text('invoice_id'),
  }
}

function creditPurchaseReferencesColumns<U extends UserIdColumn>(userId: U) {
  return {
    purchaseId: uuid('purchase_id').notNull(),
    reference: text('reference').primaryKey(),
    userId,
  }
}

function creditPaymentFactsColumns<U extends UserIdColumn>(userId: U) {
  return {
    amountMinor: credits('amount_minor').notNull(),
    updatedAt: moment('updated_at').notNull(),
    purchaseId: uuid('purchase_id').notNull(),
    id: text('id').notNull(),
    paymentId: text('payment_id').notNull(),
    userId,
    kind: text('kind').$type<PaymentFact['kind']>().notNull(),
    currency: text('currency').notNull(),
    status: text('status').$type<PaymentFact['status']>().notNull(),
  }
}

function creditQuarantineColumns() {
  return {
    createdAt: moment('created_at').notNull(),
    resolvedAt: moment('resolved_at'),
    id: uuid('id').primaryKey(),
    purchaseId: uuid('purchase_id'),
    userId: text('user_id'),
    invoiceId: text('invoice_id'),
    reason: text('reason').notNull(),
    resolvedBy: text('resolved_by'),
    resolution: text('resolution').$type<NonNullable<QuarantineEntry['resolution']>>(),
    details: jsonb('details').$type<QuarantineEntry['details']>().notNull(),
  }
}

function creditCustomersColumns<U extends UserIdColumn>(userId: U) {
  return {
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    livemode: boolean('livemode').notNull(),
    userId,
    provider: text('provider').notNull(),
    customerId: text('customer_id').notNull(),
  }
}
