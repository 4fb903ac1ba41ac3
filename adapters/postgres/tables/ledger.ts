import { sql, type BuildColumns } from 'drizzle-orm'
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
  type PgViewWithSelection,
} from 'drizzle-orm/pg-core'
import type { Allocation, GrantAllocation, GrantSource } from '../../../src/ledger/grant.js'
import type { HoldStatus } from '../../../src/ledger/hold.js'
import type { JsonObject, TransactionType } from '../../../src/ledger/transaction.js'
import { credits, moment, type CreditTable, type Place, type UserIdColumn } from './place.js'

/** Accounts, their transactions, commands, grants and holds. */
export interface LedgerTables<S extends string | undefined, P extends string, U extends UserIdColumn> {
  userCredits: CreditTable<S, P, 'user_credits', ReturnType<typeof userCreditsColumns<U>>>
  creditTransactions: CreditTable<S, P, 'credit_transactions', ReturnType<typeof creditTransactionsColumns<U>>>
  creditCommands: CreditTable<S, P, 'credit_commands', ReturnType<typeof creditCommandsColumns<U>>>
  creditGrants: CreditTable<S, P, 'credit_grants', ReturnType<typeof creditGrantsColumns<U>>>
  /** Read grants here: only the view knows where the remaining credits of an account's head grant stand. */
  creditOpenGrants: PgViewWithSelection<
    `${P}credit_open_grants`,
    false,
    BuildColumns<`${P}credit_open_grants`, ReturnType<typeof creditGrantsColumns<U>>, 'pg'>
  >
  creditHolds: CreditTable<S, P, 'credit_holds', ReturnType<typeof creditHoldsColumns<U>>>
}

export function ledgerTables<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  view,
  prefix,
  userId,
}: Place<S, P, U>): LedgerTables<S, P, U> {
  const userCredits = table(`${prefix}user_credits` as const, userCreditsColumns(userId()), (t) => [
    primaryKey({ name: `${prefix}user_credits_pkey`, columns: [t.userId, t.creditType] }),
    check(`${prefix}user_credits_held_check`, sql`held >= 0`),
    check(`${prefix}user_credits_debt_check`, sql`debt >= 0`),
    check(`${prefix}user_credits_owned_check`, sql`balance + debt >= held`),
    check(`${prefix}user_credits_head_check`, sql`head_remaining >= 0`),
    index(`${prefix}user_credits_topup_due`)
      .on(t.userId, t.creditType)
      .where(sql`topup_due`),
    // Of user ids of any type as text. Of text it is plainly the column.
    index(`${prefix}user_credits_user`).on(sql`(user_id::text) collate "C"`),
  ])
  const creditGrants = table(`${prefix}credit_grants` as const, creditGrantsColumns(userId()), (t) => [
    primaryKey({ name: `${prefix}credit_grants_pkey`, columns: [t.userId, t.id] }),
    check(`${prefix}credit_grants_amount_check`, sql`amount > 0`),
    check(`${prefix}credit_grants_remaining_check`, sql`remaining >= 0`),
    check(`${prefix}credit_grants_held_check`, sql`held >= 0`),
    check(`${prefix}credit_grants_shortfall_check`, sql`shortfall >= 0`),
    index(`${prefix}credit_grants_open`)
      .on(t.userId, t.creditType, t.priority, t.expiresAt)
      .where(sql`open`),
    index(`${prefix}credit_grants_id`).on(t.id),
    index(`${prefix}credit_grants_purchase`)
      .on(t.userId, t.purchaseId)
      .where(sql`purchase_id is not null`),
    index(`${prefix}credit_grants_expiry`)
      .on(t.expiresAt)
      .where(sql`open and expires_at is not null`),
  ])
  const creditOpenGrants = view(`${prefix}credit_open_grants` as const, creditGrantsColumns(userId())).as(sql`
    select g.id, g.user_id, g.credit_type, g.amount,
      case when a.head_grant_id = g.id then a.head_remaining else g.remaining end as remaining,
      g.held, g.shortfall, g.written_off, g.open, g.effective_at, g.expires_at, g.priority, g.source,
      g.paid_amount, g.currency, g.purchase_id, g.schedule_id, g.voided_at, g.noticed_at, g.seq, g.created_at
    from ${creditGrants} g
    join ${userCredits} a on a.user_id = g.user_id and a.credit_type = g.credit_type
    where g.open`)
  return {
    userCredits,
    creditTransactions: table(`${prefix}credit_transactions` as const, creditTransactionsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_transactions_pkey`, columns: [t.userId, t.creditType, t.seq] }),
      unique(`${prefix}credit_transactions_id_key`).on(t.id, t.userId),
      check(`${prefix}credit_transactions_amount_check`, sql`amount <> 0`),
      check(`${prefix}credit_transactions_seq_check`, sql`seq > 0`),
      uniqueIndex(`${prefix}credit_transactions_idempotency_key`)
        .on(t.userId, t.idempotencyKey)
        .where(sql`idempotency_key is not null`),
      index(`${prefix}credit_transactions_related`)
        .on(t.relatedId)
        .where(sql`related_id is not null`),
      index(`${prefix}credit_transactions_type`)
        .on(t.transactionType, t.userId, t.creditType, t.seq)
        .where(sql`transaction_type <> 'usage' or seq % 1000 = 0`),
    ]),
    creditCommands: table(`${prefix}credit_commands` as const, creditCommandsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_commands_pkey`, columns: [t.userId, t.idempotencyKey] }),
    ]),
    creditGrants,
    creditOpenGrants,
    creditHolds: table(`${prefix}credit_holds` as const, creditHoldsColumns(userId()), (t) => [
      primaryKey({ name: `${prefix}credit_holds_pkey`, columns: [t.userId, t.id] }),
      check(`${prefix}credit_holds_amount_check`, sql`amount > 0 and captured >= 0`),
      index(`${prefix}credit_holds_open`)
        .on(t.userId, t.creditType)
        .where(sql`status = 'open'`),
      index(`${prefix}credit_holds_id`).on(t.id),
      index(`${prefix}credit_holds_expiry`)
        .on(t.expiresAt)
        .where(sql`status = 'open'`),
    ]),
  }
}

function userCreditsColumns<U extends UserIdColumn>(userId: U) {
  return {
    balance: credits('balance').notNull(),
    held: credits('held').notNull(),
    debt: credits('debt').notNull(),
    totalPurchased: credits('total_purchased').notNull(),
    totalUsed: credits('total_used').notNull(),
    headRemaining: credits('head_remaining').notNull(),
    scheduled: credits('scheduled').notNull(),
    seq: credits('seq').notNull(),
    version: credits('version').notNull(),
    keyVersion: credits('key_version').notNull(),
    lastCredit: credits('last_credit').notNull(),
    alertFloor: credits('alert_floor'),
    topupThreshold: credits('topup_threshold'),
    nextDueAt: moment('next_due_at'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    headGrantId: uuid('head_grant_id'),
    topupDue: boolean('topup_due').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
  }
}

function creditTransactionsColumns<U extends UserIdColumn>(userId: U) {
  return {
    seq: credits('seq').notNull(),
    amount: credits('amount').notNull(),
    balanceAfter: credits('balance_after').notNull(),
    createdAt: moment('created_at').notNull(),
    effectiveAt: moment('effective_at'),
    id: uuid('id').notNull(),
    relatedId: uuid('related_id'),
    grantId: uuid('grant_id'),
    userId,
    creditType: text('credit_type').notNull(),
    transactionType: text('transaction_type').$type<TransactionType>().notNull(),
    description: text('description').notNull(),
    referenceId: text('reference_id'),
    referenceType: text('reference_type'),
    idempotencyKey: text('idempotency_key'),
    actor: text('actor'),
    metadata: jsonb('metadata').$type<JsonObject>(),
    request: jsonb('request').$type<JsonObject>(),
    allocations: jsonb('allocations').$type<Allocation[]>(),
  }
}

function creditCommandsColumns<U extends UserIdColumn>(userId: U) {
  return {
    createdAt: moment('created_at').notNull(),
    id: uuid('id').notNull(),
    userId,
    idempotencyKey: text('idempotency_key').notNull(),
    request: jsonb('request').$type<JsonObject>(),
    result: jsonb('result').$type<JsonObject>(),
  }
}

/** Of a grant, in the table and in the view. */
function creditGrantsColumns<U extends UserIdColumn>(userId: U) {
  return {
    amount: credits('amount').notNull(),
    remaining: credits('remaining').notNull(),
    held: credits('held').notNull(),
    shortfall: credits('shortfall').notNull(),
    writtenOff: credits('written_off').notNull(),
    paidAmount: credits('paid_amount'),
    seq: credits('seq').notNull(),
    effectiveAt: moment('effective_at'),
    expiresAt: moment('expires_at'),
    voidedAt: moment('voided_at'),
    noticedAt: moment('noticed_at'),
    createdAt: moment('created_at').notNull(),
    id: uuid('id').notNull(),
    purchaseId: uuid('purchase_id'),
    scheduleId: uuid('schedule_id'),
    priority: integer('priority').notNull(),
    open: boolean('open').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    source: text('source').$type<GrantSource>().notNull(),
    currency: text('currency'),
  }
}

function creditHoldsColumns<U extends UserIdColumn>(userId: U) {
  return {
    amount: credits('amount').notNull(),
    captured: credits('captured').notNull(),
    expiresAt: moment('expires_at').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    id: uuid('id').notNull(),
    userId,
    creditType: text('credit_type').notNull(),
    status: text('status').$type<HoldStatus>().notNull(),
    description: text('description').notNull(),
    referenceId: text('reference_id'),
    referenceType: text('reference_type'),
    actor: text('actor'),
    metadata: jsonb('metadata').$type<JsonObject>(),
    request: jsonb('request').$type<JsonObject>(),
    allocations: jsonb('allocations').$type<GrantAllocation[]>().notNull(),
  }
}
