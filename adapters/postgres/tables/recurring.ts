import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { AutoTopupStatus } from '../../../src/ledger/auto-topup.js'
import type { GrantSource } from '../../../src/ledger/grant.js'
import type { Rhythm } from '../../../src/ledger/period.js'
import type { Raise, Schedule } from '../../../src/ledger/schedule.js'
import type { SubscriptionStatus } from '../../../src/ports/payments.js'
import type { SubscriptionRecord } from '../../../src/ports/purchase-store.js'
import { credits, moment, type CreditTable, type Place, type UserIdColumn } from './place.js'

/** Credits that come by themselves: subscriptions, schedules, automatic top-ups. */
export interface RecurringTables<S extends string | undefined, P extends string, U extends UserIdColumn> {
  creditSubscriptions: CreditTable<S, P, 'credit_subscriptions', ReturnType<typeof creditSubscriptionsColumns<U>>>
  creditSchedules: CreditTable<S, P, 'credit_schedules', ReturnType<typeof creditSchedulesColumns<U>>>
  creditAutoTopups: CreditTable<S, P, 'credit_auto_topups', ReturnType<typeof creditAutoTopupsColumns<U>>>
}

export function recurringTables<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>): RecurringTables<S, P, U> {
  return {
    creditSubscriptions: table(`${prefix}credit_subscriptions` as const, creditSubscriptionsColumns(userId()), (t) => [
      index(`${prefix}credit_subscriptions_user`).on(t.userId),
    ]),
    creditSchedules: table(`${prefix}credit_schedules` as const, creditSchedulesColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_schedules_pkey`, columns: [t.userId, t.id] }),
      check(`${prefix}credit_schedules_undelivered_check`, sql`undelivered >= 0`),
      index(`${prefix}credit_schedules_account`).on(t.userId, t.creditType),
      index(`${prefix}credit_schedules_next`)
        .on(t.nextAt)
        .where(sql`status = 'active' and (paid_until is null or next_at < paid_until)`),
    ]),
    creditAutoTopups: table(`${prefix}credit_auto_topups` as const, creditAutoTopupsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_auto_topups_pkey`, columns: [t.userId, t.creditType] }),
      index(`${prefix}credit_auto_topups_open`)
        .on(t.openSince)
        .where(sql`open_purchase_id is not null`),
    ]),
  }
}

function creditSubscriptionsColumns<U extends UserIdColumn>(userId: U) {
  return {
    endedAt: moment('ended_at'),
    trialEndsAt: moment('trial_ends_at'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    cancelAtPeriodEnd: boolean('cancel_at_period_end').notNull(),
    collectionPaused: boolean('collection_paused').notNull(),
    livemode: boolean('livemode').notNull(),
    id: text('id').primaryKey(),
    userId,
    provider: text('provider').notNull(),
    customerId: text('customer_id'),
    status: text('status').$type<SubscriptionStatus>().notNull(),
    items: jsonb('items').$type<SubscriptionRecord['items']>().notNull(),
  }
}

function creditSchedulesColumns<U extends UserIdColumn>(userId: U) {
  return {
    amount: credits('amount').notNull(),
    rolloverMax: credits('rollover_max'),
    periodGranted: credits('period_granted').notNull(),
    undelivered: credits('undelivered'),
    anchorAt: moment('anchor_at').notNull(),
    nextAt: moment('next_at').notNull(),
    periodFrom: moment('period_from').notNull(),
    paidFrom: moment('paid_from'),
    changedFrom: moment('changed_from'),
    paidUntil: moment('paid_until'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    id: uuid('id').notNull(),
    purchaseId: uuid('purchase_id'),
    priority: integer('priority').notNull(),
    graceSeconds: integer('grace_seconds').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    plan: text('plan').notNull(),
    every: text('every').$type<Rhythm>().notNull(),
    source: text('source').$type<GrantSource>().notNull(),
    status: text('status').$type<Schedule['status']>().notNull(),
    subscriptionId: text('subscription_id'),
    itemId: text('item_id'),
    priceId: text('price_id'),
    raises: jsonb('raises').$type<readonly Raise[]>().notNull(),
  }
}

function creditAutoTopupsColumns<U extends UserIdColumn>(userId: U) {
  return {
    threshold: credits('threshold').notNull(),
    maxAmountMinor: credits('max_amount_minor'),
    monthMinor: credits('month_minor').notNull(),
    openSince: moment('open_since'),
    retryAt: moment('retry_at'),
    monthStart: moment('month_start').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    openPurchaseId: uuid('open_purchase_id'),
    packageId: integer('package_id').notNull(),
    quantity: integer('quantity').notNull(),
    maxPerMonth: integer('max_per_month'),
    failures: integer('failures').notNull(),
    monthCount: integer('month_count').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    status: text('status').$type<AutoTopupStatus>().notNull(),
    lastFailure: text('last_failure'),
    recoveryUrl: text('recovery_url'),
  }
}
