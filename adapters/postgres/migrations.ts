import { supportTables } from './migration-1-support.js'
import { reportViews } from './report-views.js'

/** One numbered step of the schema. Append-only: a released migration never changes. */
export interface Migration {
  number: number
  name: string
  /** Statements in order, for tables in `schema` (quoted already). All of one migration commit together. */
  statements: (schema: string, layout: TableLayout) => string[]
}

/** What the maker of the tables may choose. */
export interface TableLayout {
  /** Into so many tables the ledger is divided, by user; null: it is one table. */
  partitions: number | null
}

/** Every migration there is, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'accounts, ledger, packages, purchases',
    statements: (schema, layout) => [
      ...ledgerTables(schema, layout),
      ...sellingTables(schema),
      ...recurringTables(schema),
      ...supportTables(schema),
      ...reportViews(schema),
    ],
  },
]

/*
 * Rules for all tables (DESIGN section 4): `user_id` is part of every primary key and unique constraint of per-user
 * tables, but of those kept by a provider's id (which finds the user) and of the quarantine (whose user may be unknown); no defaults on bigint columns; columns of eight bytes come first, so that rows need no padding.
 */

function ledgerTables(schema: string, { partitions }: TableLayout): string[] {
  return [
    `create table ${schema}.user_credits (
      balance bigint not null,
      held bigint not null,
      debt bigint not null,
      total_purchased bigint not null,
      total_used bigint not null,
      head_remaining bigint not null,
      scheduled bigint not null,
      seq bigint not null,
      version bigint not null,
      key_version bigint not null,
      last_credit bigint not null,
      alert_floor bigint,
      topup_threshold bigint,
      next_due_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      head_grant_id uuid,
      topup_due boolean not null,
      user_id text not null,
      credit_type text not null,
      constraint user_credits_pkey primary key (user_id, credit_type),
      constraint user_credits_held_check check (held >= 0),
      constraint user_credits_debt_check check (debt >= 0),
      constraint user_credits_owned_check check (balance + debt >= held),
      constraint user_credits_head_check check (head_remaining >= 0)
    ) with (fillfactor = 75)`,
    `create index user_credits_topup_due on ${schema}.user_credits (user_id, credit_type) where topup_due`,
    // In which ids that begin alike stand together, whatever the database's locale is.
    `create index user_credits_user on ${schema}.user_credits (user_id collate "C")`,
    `create table ${schema}.credit_transactions (
      seq bigint not null,
      amount bigint not null,
      balance_after bigint not null,
      created_at timestamptz not null,
      effective_at timestamptz,
      id uuid not null,
      related_id uuid,
      grant_id uuid,
      user_id text not null,
      credit_type text not null,
      transaction_type text not null,
      description text not null,
      reference_id text,
      reference_type text,
      idempotency_key text,
      actor text,
      metadata jsonb,
      request jsonb,
      allocations jsonb,
      constraint credit_transactions_pkey primary key (user_id, credit_type, seq),
      constraint credit_transactions_id_key unique (id, user_id),
      constraint credit_transactions_amount_check check (amount <> 0),
      constraint credit_transactions_seq_check check (seq > 0)
    )${partitions === null ? '' : ' partition by hash (user_id)'}`,
    ...Array.from(
      { length: partitions ?? 0 },
      (_, n) => `create table ${schema}.credit_transactions_p${n} partition of ${schema}.credit_transactions
      for values with (modulus ${partitions}, remainder ${n})`,
    ),
    `create unique index credit_transactions_idempotency_key on ${schema}.credit_transactions (user_id, idempotency_key)
      where idempotency_key is not null`,
    `create index credit_transactions_related on ${schema}.credit_transactions (related_id) where related_id is not null`,
    // What is not a use is found by its type; of uses, each account's 1000th, 2000th, … tells that it has grown.
    `create index credit_transactions_type on ${schema}.credit_transactions (transaction_type, user_id, credit_type, seq)
      where transaction_type <> 'usage' or seq % 1000 = 0`,
    `create table ${schema}.credit_commands (
      created_at timestamptz not null,
      id uuid not null,
      user_id text not null,
      idempotency_key text not null,
      request jsonb,
      result jsonb,
      constraint credit_commands_pkey primary key (user_id, idempotency_key)
    )`,
    `create table ${schema}.credit_grants (
      amount bigint not null,
      remaining bigint not null,
      held bigint not null,
      shortfall bigint not null,
      written_off bigint not null,
      paid_amount bigint,
      seq bigint not null,
      effective_at timestamptz,
      expires_at timestamptz,
      voided_at timestamptz,
      noticed_at timestamptz,
      created_at timestamptz not null,
      id uuid not null,
      purchase_id uuid,
      schedule_id uuid,
      priority integer not null,
      open boolean not null,
      user_id text not null,
      credit_type text not null,
      source text not null,
      currency text,
      constraint credit_grants_pkey primary key (user_id, id),
      constraint credit_grants_amount_check check (amount > 0),
      constraint credit_grants_remaining_check check (remaining >= 0),
      constraint credit_grants_held_check check (held >= 0),
      constraint credit_grants_shortfall_check check (shortfall >= 0)
    ) with (fillfactor = 80)`,
    `create index credit_grants_open on ${schema}.credit_grants (user_id, credit_type, priority, expires_at) where open`,
    `create index credit_grants_id on ${schema}.credit_grants (id)`,
    `create index credit_grants_purchase on ${schema}.credit_grants (user_id, purchase_id) where purchase_id is not null`,
    `create index credit_grants_expiry on ${schema}.credit_grants (expires_at) where open and expires_at is not null`,
    `create table ${schema}.credit_holds (
      amount bigint not null,
      captured bigint not null,
      expires_at timestamptz not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      id uuid not null,
      user_id text not null,
      credit_type text not null,
      status text not null,
      description text not null,
      reference_id text,
      reference_type text,
      actor text,
      metadata jsonb,
      request jsonb,
      allocations jsonb not null,
      constraint credit_holds_pkey primary key (user_id, id),
      constraint credit_holds_amount_check check (amount > 0 and captured >= 0)
    ) with (fillfactor = 80)`,
    `create index credit_holds_open on ${schema}.credit_holds (user_id, credit_type) where status = 'open'`,
    `create index credit_holds_id on ${schema}.credit_holds (id)`,
    `create index credit_holds_expiry on ${schema}.credit_holds (expires_at) where status = 'open'`,
    openGrantsView(schema),
  ]
}

/** The only place that knows where a grant's remaining credits stand: the head's in the account row. */
function openGrantsView(schema: string): string {
  return `create view ${schema}.credit_open_grants as
    select g.id, g.user_id, g.credit_type, g.amount,
      case when a.head_grant_id = g.id then a.head_remaining else g.remaining end as remaining,
      g.held, g.shortfall, g.written_off, g.open, g.effective_at, g.expires_at, g.priority, g.source,
      g.paid_amount, g.currency, g.purchase_id, g.schedule_id, g.voided_at, g.noticed_at, g.seq, g.created_at
    from ${schema}.credit_grants g
    join ${schema}.user_credits a on a.user_id = g.user_id and a.credit_type = g.credit_type
    where g.open`
}

function sellingTables(schema: string): string[] {
  return [
    `create table ${schema}.credit_packages (
      id integer generated by default as identity primary key,
      key text constraint credit_packages_key_key unique,
      name text not null,
      description text,
      credit_amount bigint not null,
      price bigint not null,
      currency text not null,
      credit_type text not null,
      is_active boolean not null,
      sort_order integer not null,
      metadata jsonb,
      stripe_price_id text,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      constraint credit_packages_amount_check check (credit_amount > 0),
      constraint credit_packages_price_check check (price >= 0)
    )`,
    `create table ${schema}.credit_purchases (
      credits bigint not null,
      unit_price_minor bigint not null,
      paid_minor bigint,
      clawed bigint not null,
      withheld bigint not null,
      absorbed bigint not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      fulfilled_at timestamptz,
      id uuid not null,
      package_id integer,
      quantity integer not null,
      livemode boolean not null,
      user_id text not null,
      credit_type text not null,
      origin text not null,
      package_name text not null,
      currency text not null,
      status text not null,
      provider text not null,
      session_id text,
      payment_id text,
      charge_id text,
      invoice_id text,
      constraint credit_purchases_pkey primary key (user_id, id),
      constraint credit_purchases_clawed_check
        check (withheld >= 0 and absorbed >= 0 and absorbed + withheld <= clawed and clawed <= credits)
    )`,
    `create index credit_purchases_id on ${schema}.credit_purchases (id)`,
    `create index credit_purchases_user on ${schema}.credit_purchases (user_id, created_at, id)`,
    `create index credit_purchases_unsettled on ${schema}.credit_purchases (created_at)
      where status in ('pending', 'processing')`,
    `create index credit_purchases_invoice on ${schema}.credit_purchases (user_id, invoice_id)
      where invoice_id is not null`,
    `create table ${schema}.credit_purchase_references (
      purchase_id uuid not null,
      reference text not null,
      user_id text not null,
      constraint credit_purchase_references_pkey primary key (reference)
    )`,
    `create table ${schema}.credit_payment_facts (
      amount_minor bigint not null,
      updated_at timestamptz not null,
      purchase_id uuid not null,
      id text not null,
      payment_id text not null,
      user_id text not null,
      kind text not null,
      currency text not null,
      status text not null,
      constraint credit_payment_facts_pkey primary key (user_id, purchase_id, id)
    )`,
    `create table ${schema}.credit_quarantine (
      created_at timestamptz not null,
      resolved_at timestamptz,
      id uuid not null,
      purchase_id uuid,
      user_id text,
      invoice_id text,
      reason text not null,
      resolved_by text,
      resolution text,
      details jsonb not null,
      constraint credit_quarantine_pkey primary key (id)
    )`,
    `create index credit_quarantine_open on ${schema}.credit_quarantine (id) where resolved_at is null`,
    `create table ${schema}.credit_customers (
      created_at timestamptz not null,
      updated_at timestamptz not null,
      livemode boolean not null,
      user_id text not null,
      provider text not null,
      customer_id text not null,
      constraint credit_customers_pkey primary key (user_id, provider, livemode)
    )`,
    `create index credit_customers_customer on ${schema}.credit_customers (customer_id)`,
  ]
}

function recurringTables(schema: string): string[] {
  return [
    `create table ${schema}.credit_subscriptions (
      ended_at timestamptz,
      trial_ends_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      cancel_at_period_end boolean not null,
      collection_paused boolean not null,
      livemode boolean not null,
      id text not null,
      user_id text not null,
      provider text not null,
      customer_id text,
      status text not null,
      items jsonb not null,
      constraint credit_subscriptions_pkey primary key (id)
    )`,
    `create index credit_subscriptions_user on ${schema}.credit_subscriptions (user_id)`,
    `create table ${schema}.credit_schedules (
      amount bigint not null,
      rollover_max bigint,
      period_granted bigint not null,
      undelivered bigint,
      anchor_at timestamptz not null,
      next_at timestamptz not null,
      period_from timestamptz not null,
      paid_from timestamptz,
      changed_from timestamptz,
      paid_until timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      id uuid not null,
      purchase_id uuid,
      priority integer not null,
      grace_seconds integer not null,
      user_id text not null,
      credit_type text not null,
      plan text not null,
      every text not null,
      source text not null,
      status text not null,
      subscription_id text,
      item_id text,
      price_id text,
      raises jsonb not null,
      constraint credit_schedules_pkey primary key (user_id, id),
      constraint credit_schedules_undelivered_check check (undelivered >= 0)
    )`,
    `create index credit_schedules_account on ${schema}.credit_schedules (user_id, credit_type)`,
    `create index credit_schedules_next on ${schema}.credit_schedules (next_at)
      where status = 'active' and (paid_until is null or next_at < paid_until)`,
    `create table ${schema}.credit_auto_topups (
      threshold bigint not null,
      max_amount_minor bigint,
      month_minor bigint not null,
      open_since timestamptz,
      retry_at timestamptz,
      month_start timestamptz not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      open_purchase_id uuid,
      package_id integer not null,
      quantity integer not null,
      max_per_month integer,
      failures integer not null,
      month_count integer not null,
      user_id text not null,
      credit_type text not null,
      status text not null,
      last_failure text,
      recovery_url text,
      constraint credit_auto_topups_pkey primary key (user_id, credit_type)
    )`,
    `create index credit_auto_topups_open on ${schema}.credit_auto_topups (open_since) where open_purchase_id is not null`,
  ]
}
