import { sql } from 'drizzle-orm'
import { boolean, date, index, integer, jsonb, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { EventKind } from '../../../src/ledger/event.js'
import type { JsonObject } from '../../../src/ledger/transaction.js'
import { credits, moment, type CreditTable, type Place, type UserIdColumn } from './place.js'

/** What stands beside the ledger: webhook events, the outbox, limits, daily figures. */
export interface SupportTables<S extends string | undefined, P extends string, U extends UserIdColumn> {
  creditWebhookEvents: CreditTable<S, P, 'credit_webhook_events', ReturnType<typeof creditWebhookEventsColumns>>
  creditOutbox: CreditTable<S, P, 'credit_outbox', ReturnType<typeof creditOutboxColumns<U>>>
  creditLimitWindows: CreditTable<S, P, 'credit_limit_windows', ReturnType<typeof creditLimitWindowsColumns<U>>>
  creditUsageDaily: CreditTable<S, P, 'credit_usage_daily', ReturnType<typeof creditUsageDailyColumns<U>>>
  creditUsageMarks: CreditTable<S, P, 'credit_usage_marks', ReturnType<typeof creditUsageMarksColumns<U>>>
}

export function supportTables<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>): SupportTables<S, P, U> {
  return {
    creditWebhookEvents: table(`${prefix}credit_webhook_events` as const, creditWebhookEventsColumns(), (t) => [
      primaryKey({ name: `${prefix}credit_webhook_events_pkey`, columns: [t.provider, t.id] }),
    ]),
    creditOutbox: table(`${prefix}credit_outbox` as const, creditOutboxColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_outbox_pkey`, columns: [t.userId, t.id] }),
      index(`${prefix}credit_outbox_account`)
        .on(t.userId, t.creditType, t.seq, t.position)
        .where(sql`parked_at is null`),
      index(`${prefix}credit_outbox_next`)
        .on(t.nextAttemptAt)
        .where(sql`parked_at is null`),
    ]),
    creditLimitWindows: table(`${prefix}credit_limit_windows` as const, creditLimitWindowsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_limit_windows_pkey`, columns: [t.userId, t.creditType, t.limitName] }),
    ]),
    creditUsageDaily: table(`${prefix}credit_usage_daily` as const, creditUsageDailyColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_usage_daily_pkey`, columns: [t.userId, t.creditType, t.day] }),
    ]),
    creditUsageMarks: table(`${prefix}credit_usage_marks` as const, creditUsageMarksColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_usage_marks_pkey`, columns: [t.userId, t.creditType] }),
    ]),
  }
}

function creditWebhookEventsColumns() {
  return {
    createdAt: moment('created_at').notNull(),
    receivedAt: moment('received_at').notNull(),
    livemode: boolean('livemode').notNull(),
    provider: text('provider').notNull(),
    id: text('id').notNull(),
    type: text('type').notNull(),
  }
}

function creditOutboxColumns<U extends UserIdColumn>(userId: U) {
  return {
    seq: credits('seq').notNull(),
    nextAttemptAt: moment('next_attempt_at').notNull(),
    parkedAt: moment('parked_at'),
    createdAt: moment('created_at').notNull(),
    id: uuid('id').notNull(),
    position: integer('position').notNull(),
    attempts: integer('attempts').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    kind: text('kind').$type<EventKind>().notNull(),
    payload: jsonb('payload').$type<JsonObject>().notNull(),
  }
}

function creditLimitWindowsColumns<U extends UserIdColumn>(userId: U) {
  return {
    used: credits('used').notNull(),
    windowStart: moment('window_start').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    limitName: text('limit_name').notNull(),
  }
}

function creditUsageDailyColumns<U extends UserIdColumn>(userId: U) {
  return {
    transactions: credits('transactions').notNull(),
    used: credits('used').notNull(),
    purchased: credits('purchased').notNull(),
    refunded: credits('refunded').notNull(),
    added: credits('added').notNull(),
    firstSeq: credits('first_seq').notNull(),
    lastSeq: credits('last_seq').notNull(),
    day: date('day', { mode: 'string' }).notNull(),
    userId,
    creditType: text('credit_type').notNull(),
  }
}

function creditUsageMarksColumns<U extends UserIdColumn>(userId: U) {
  return {
    seq: credits('seq').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
  }
}
