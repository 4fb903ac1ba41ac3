import { sql } from 'drizzle-orm'
import { boolean, date, index, integer, jsonb, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { JsonObject, TransactionType } from '../../../src/ledger/transaction.js'
import { credits, moment, type Place, type UserIdColumn } from './place.js'

export type SupportTables<S extends string | undefined, P extends string, U extends UserIdColumn> = ReturnType<
  typeof supportTables<S, P, U>
>

/** What stands beside the ledger: webhook events, the outbox, limits, daily figures. */
export function supportTables<S extends string | undefined, P extends string, U extends UserIdColumn>(
  place: Place<S, P, U>,
) {
  return {
    creditWebhookEvents: webhookEventsTable(place),
    creditOutbox: outboxTable(place),
    creditLimitWindows: limitWindowsTable(place),
    creditUsageDaily: usageDailyTable(place),
    creditUsageMarks: usageMarksTable(place),
  }
}

function webhookEventsTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
}: Place<S, P, U>) {
  const columns = {
    createdAt: moment('created_at').notNull(),
    receivedAt: moment('received_at').notNull(),
    livemode: boolean('livemode').notNull(),
    provider: text('provider').notNull(),
    id: text('id').notNull(),
    type: text('type').notNull(),
  }
  return table(`${prefix}credit_webhook_events` as const, columns, (t) => [
    primaryKey({ name: `${prefix}credit_webhook_events_pkey`, columns: [t.provider, t.id] }),
  ])
}

function outboxTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    seq: credits('seq').notNull(),
    nextAttemptAt: moment('next_attempt_at').notNull(),
    parkedAt: moment('parked_at'),
    createdAt: moment('created_at').notNull(),
    id: uuid('id').notNull(),
    attempts: integer('attempts').notNull(),
    userId: userId(),
    creditType: text('credit_type').notNull(),
    kind: text('kind').notNull(),
    payload: jsonb('payload').$type<JsonObject>().notNull(),
  }
  return table(`${prefix}credit_outbox` as const, columns, (t) => [
    primaryKey({ name: `${prefix}credit_outbox_pkey`, columns: [t.userId, t.id] }),
    index(`${prefix}credit_outbox_next`)
      .on(t.nextAttemptAt)
      .where(sql`parked_at is null`),
  ])
}

function limitWindowsTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    used: credits('used').notNull(),
    windowStart: moment('window_start').notNull(),
    userId: userId(),
    creditType: text('credit_type').notNull(),
    limitName: text('limit_name').notNull(),
  }
  return table(`${prefix}credit_limit_windows` as const, columns, (t) => [
    primaryKey({
      name: `${prefix}credit_limit_windows_pkey`,
      columns: [t.userId, t.creditType, t.limitName, t.windowStart],
    }),
  ])
}

function usageDailyTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    amount: credits('amount').notNull(),
    transactions: credits('transactions').notNull(),
    day: date('day', { mode: 'string' }).notNull(),
    userId: userId(),
    creditType: text('credit_type').notNull(),
    transactionType: text('transaction_type').$type<TransactionType>().notNull(),
  }
  return table(`${prefix}credit_usage_daily` as const, columns, (t) => [
    primaryKey({
      name: `${prefix}credit_usage_daily_pkey`,
      columns: [t.userId, t.creditType, t.day, t.transactionType],
    }),
  ])
}

function usageMarksTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    seq: credits('seq').notNull(),
    userId: userId(),
    creditType: text('credit_type').notNull(),
  }
  return table(`${prefix}credit_usage_marks` as const, columns, (t) => [
    primaryKey({ name: `${prefix}credit_usage_marks_pkey`, columns: [t.userId, t.creditType] }),
  ])
}
