import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, primaryKey, text, unique, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import type { Allocation, GrantSource } from '../../../src/ledger/grant.js'
import type { JsonObject, TransactionType } from '../../../src/ledger/transaction.js'
import { credits, moment, type Place, type UserIdColumn } from './place.js'

export type LedgerTables<S extends string | undefined, P extends string, U extends UserIdColumn> = ReturnType<
  typeof ledgerTables<S, P, U>
>

/** Accounts, their transactions, commands, grants and holds. */
export function ledgerTables<S extends string | undefined, P extends string, U extends UserIdColumn>(
  place: Place<S, P, U>,
) {
  const userCredits = userCreditsTable(place)
  const { creditGrants, creditOpenGrants } = grantTables(place, userCredits)
  return {
    userCredits,
    creditTransactions: transactionsTable(place),
    creditCommands: commandsTable(place),
    creditGrants,
    creditOpenGrants,
    creditHolds: holdsTable(place),
  }
}

function userCreditsTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    balance: credits('balance').notNull(),
    held: credits('held').notNull(),
    debt: credits('debt').notNull(),
    totalPurchased: credits('total_purchased').notNull(),
    totalUsed: credits('total_used').notNull(),
    headRemaining: credits('head_remaining').notNull(),
    seq: credits('seq').notNull(),
    version: credits('version').notNull(),
    alertFloor: credits('alert_floor'),
    nextDueAt: moment('next_due_at'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    headGrantId: uuid('head_grant_id'),
    userId: userId(),
    creditType: text('credit_type').notNull(),
  }
  return table(`${prefix}user_credits` as const, columns, (t) => [
    primaryKey({ name: `${prefix}user_credits_pkey`, columns: [t.userId, t.creditType] }),
    check(`${prefix}user_credits_held_check`, sql`held >= 0`),
    check(`${prefix}user_credits_debt_check`, sql`debt >= 0`),
    check(`${prefix}user_credits_owned_check`, sql`balance + debt >= held`),
    check(`${prefix}user_credits_head_check`, sql`head_remaining >= 0`),
  ])
}

function transactionsTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    seq: credits('seq').notNull(),
    amount: credits('amount').notNull(),
    balanceAfter: credits('balance_after').notNull(),
    createdAt: moment('created_at').notNull(),
    effectiveAt: moment('effective_at'),
    id: uuid('id').notNull(),
    relatedId: uuid('related_id'),
    grantId: uuid('grant_id'),
    userId: userId(),
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
  return table(`${prefix}credit_transactions` as const, columns, (t) => [
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
  ])
}

function commandsTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    createdAt: moment('created_at').notNull(),
    id: uuid('id').notNull(),
    userId: userId(),
    idempotencyKey: text('idempotency_key').notNull(),
    request: jsonb('request').$type<JsonObject>(),
    result: jsonb('result').$type<JsonObject>(),
  }
  return table(`${prefix}credit_commands` as const, columns, (t) => [
    primaryKey({ name: `${prefix}credit_commands_pkey`, columns: [t.userId, t.idempotencyKey] }),
  ])
}

function grantTables<S extends string | undefined, P extends string, U extends UserIdColumn>(
  { table, view, prefix, userId }: Place<S, P, U>,
  userCredits: { getSQL: () => ReturnType<typeof sql> },
) {
  const facts = () => ({
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
    createdAt: moment('created_at').notNull(),
    id: uuid('id').notNull(),
    purchaseId: uuid('purchase_id'),
    priority: integer('priority').notNull(),
    open: boolean('open').notNull(),
    userId: userId(),
    creditType: text('credit_type').notNull(),
    source: text('source').$type<GrantSource>().notNull(),
    currency: text('currency'),
  })
  const creditGrants = table(`${prefix}credit_grants` as const, facts(), (t) => [
    primaryKey({ name: `${prefix}credit_grants_pkey`, columns: [t.userId, t.id] }),
    check(`${prefix}credit_grants_amount_check`, sql`amount > 0`),
    check(`${prefix}credit_grants_remaining_check`, sql`remaining >= 0`),
    check(`${prefix}credit_grants_held_check`, sql`held >= 0`),
    check(`${prefix}credit_grants_shortfall_check`, sql`shortfall >= 0`),
    index(`${prefix}credit_grants_open`)
      .on(t.userId, t.creditType, t.priority, t.expiresAt)
      .where(sql`open`),
    index(`${prefix}credit_grants_id`).on(t.id),
    index(`${prefix}credit_grants_expiry`)
      .on(t.expiresAt)
      .where(sql`open and expires_at is not null`),
  ])
  // The only place that knows where a grant's remaining credits stand: the head's in the account row.
  const creditOpenGrants = view(`${prefix}credit_open_grants` as const, facts()).as(sql`
    select g.id, g.user_id, g.credit_type, g.amount,
      case when a.head_grant_id = g.id then a.head_remaining else g.remaining end as remaining,
      g.held, g.shortfall, g.written_off, g.open, g.effective_at, g.expires_at, g.priority, g.source,
      g.paid_amount, g.currency, g.purchase_id, g.voided_at, g.seq, g.created_at
    from ${creditGrants} g
    join ${userCredits} a on a.user_id = g.user_id and a.credit_type = g.credit_type
    where g.open`)
  return { creditGrants, creditOpenGrants }
}

function holdsTable<S extends string | undefined, P extends string, U extends UserIdColumn>({
  table,
  prefix,
  userId,
}: Place<S, P, U>) {
  const columns = {
    amount: credits('amount').notNull(),
    captured: credits('captured').notNull(),
    expiresAt: moment('expires_at').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    id: uuid('id').notNull(),
    userId: userId(),
    creditType: text('credit_type').notNull(),
    status: text('status').notNull(),
    description: text('description'),
    referenceId: text('reference_id'),
    referenceType: text('reference_type'),
    actor: text('actor'),
    metadata: jsonb('metadata').$type<JsonObject>(),
    request: jsonb('request').$type<JsonObject>(),
    allocations: jsonb('allocations').$type<Allocation[]>().notNull(),
  }
  return table(`${prefix}credit_holds` as const, columns, (t) => [
    primaryKey({ name: `${prefix}credit_holds_pkey`, columns: [t.userId, t.id] }),
    check(`${prefix}credit_holds_amount_check`, sql`amount > 0 and captured >= 0`),
    index(`${prefix}credit_holds_open`)
      .on(t.userId, t.creditType)
      .where(sql`status = 'open'`),
    index(`${prefix}credit_holds_id`).on(t.id),
    index(`${prefix}credit_holds_expiry`)
      .on(t.expiresAt)
      .where(sql`status = 'open'`),
  ])
}
