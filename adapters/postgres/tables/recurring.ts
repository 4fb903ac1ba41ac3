import { sql } from 'drizzle-orm'
import { boolean, index, integer, jsonb, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import type { GrantSource } from '../../../src/ledger/grant.js'
import type { Rhythm } from '../../../src/ledger/period.js'
import type { Schedule } from '../../../src/ledger/schedule.js'
import type { JsonObject } from '../../../src/ledger/transaction.js'
import { credits, moment, type CreditTable, type Place, type UserIdColumn } from './place.js'

/** Credits that come by themselves: subscriptions, schedules, automatic top-ups. */
export interface RecurringTables<S extends string | undefined, P extends string, U extends UserIdColumn> {
  creditSubscriptions: CreditTable<S, P, 'credit_subscriptions', ReturnType<typeof creditSubscriptionsColumns<U>>>
  creditSchedules: CreditTable<S, P, 'credit_schedules', ReturnType<typeof creditSchedulesColumns<U>>>
  creditAutoTopups: CreditTable<S, P, 'credit_auto_topups', ReturnType<typeof creditAutoTopupsColumns<U>>>
  creditAutoTopupAttempts: CreditTable<
    S,
    P,
    'credit_auto_topup_attempts',
    ReturnType<typeof creditAutoTopupAttemptsColumns<U>>
  >
}

export function recurringTables<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>): RecurringTables<S, P, U> {
  return {
    creditSubscriptions: table(`${prefix}credit_subscriptions` as const, creditSubscriptionsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_subscriptions_pkey`, columns: [t.userId, t.id] }),
      index(`${prefix}credit_subscriptions_id`).on(t.id),
    ]),
    creditSchedules: table(`${prefix}credit_schedules` as const, creditSchedulesColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_schedules_pkey`, columns: [t.userId, t.id] }),
      index(`${prefix}credit_schedules_account`).on(t.userId, t.creditType),
      index(`${prefix}credit_schedules_next`)
        .on(t.nextAt)
        .where(sql`status = 'active'`),
    ]),
    creditAutoTopups: table(`${prefix}credit_auto_topups` as const, creditAutoTopupsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_auto_topups_pkey`, columns: [t.userId, t.creditType] }),
    ]),
    creditAutoTopupAttempts: table(
      `${prefix}credit_auto_topup_attempts` as const,
      creditAutoTopupAttemptsColumns(userId()),
      (t) => [
        primaryKey({ name: `${prefix}credit_auto_topup_attempts_pkey`, columns: [t.userId, t.id] }),
        uniqueIndex(`${prefix}credit_auto_topup_attempts_open`)
          .on(t.userId, t.creditType)
          .where(sql`status in ('claimed', 'unknown', 'action_required')`),
      ],
    ),
  }
}

function creditSubscriptionsColumns<U extends UserIdColumn>(userId: U) {
  return {
    periodStart: moment('period_start'),
    periodEnd: moment('period_end'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    quantity: integer('quantity').notNull(),
    cancelAtPeriodEnd: boolean('cancel_at_period_end').notNull(),
    livemode: boolean('livemode').notNull(),
    id: text('id').notNull(),
    userId,
    provider: text('provider').notNull(),
    plan: text('plan').notNull(),
    priceId: text('price_id'),
    status: text('status').notNull(),
    metadata: jsonb('metadata').$type<JsonObject>(),
  }
}

function creditSchedulesColumns<U extends UserIdColumn>(userId: U) {
  return {
    amount: credits('amount').notNull(),
    rolloverMax: credits('rollover_max'),
    periodGranted: credits('period_granted').notNull(),
    anchorAt: moment('anchor_at').notNull(),
    nextAt: moment('next_at').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    id: uuid('id').notNull(),
    priority: integer('priority').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    plan: text('plan').notNull(),
    every: text('every').$type<Rhythm>().notNull(),
    source: text('source').$type<GrantSource>().notNull(),
    status: text('status').$type<Schedule['status']>().notNull(),
    subscriptionId: text('subscription_id'),
  }
}

function creditAutoTopupsColumns<U extends UserIdColumn>(userId: U) {
  return {
    threshold: credits('threshold').notNull(),
    blockedUntil: moment('blocked_until'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    packageId: integer('package_id').notNull(),
    quantity: integer('quantity').notNull(),
    monthlyMax: integer('monthly_max'),
    failures: integer('failures').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    status: text('status').notNull(),
    paymentMethodId: text('payment_method_id'),
  }
}

function creditAutoTopupAttemptsColumns<U extends UserIdColumn>(userId: U) {
  return {
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    id: uuid('id').notNull(),
    purchaseId: uuid('purchase_id').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    status: text('status').notNull(),
    paymentId: text('payment_id'),
    errorCode: text('error_code'),
  }
}
