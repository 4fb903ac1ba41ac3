/** Of migration 1, what stands beside the ledger: webhook events, the outbox, limits, sums of use. */
export function supportTables(schema: string): string[] {
  return [
    `create table ${schema}.credit_webhook_events (
      created_at timestamptz not null,
      received_at timestamptz not null,
      livemode boolean not null,
      provider text not null,
      id text not null,
      type text not null,
      constraint credit_webhook_events_pkey primary key (provider, id)
    )`,
    `create table ${schema}.credit_outbox (
      seq bigint not null,
      next_attempt_at timestamptz not null,
      parked_at timestamptz,
      created_at timestamptz not null,
      id uuid not null,
      position integer not null,
      attempts integer not null,
      user_id text not null,
      credit_type text not null,
      kind text not null,
      payload jsonb not null,
      constraint credit_outbox_pkey primary key (user_id, id)
    )`,
    `create index credit_outbox_account on ${schema}.credit_outbox (user_id, credit_type, seq, position)
      where parked_at is null`,
    `create index credit_outbox_next on ${schema}.credit_outbox (next_attempt_at) where parked_at is null`,
    `create table ${schema}.credit_limit_windows (
      used bigint not null,
      window_start timestamptz not null,
      user_id text not null,
      credit_type text not null,
      limit_name text not null,
      constraint credit_limit_windows_pkey primary key (user_id, credit_type, limit_name)
    )`,
    `create table ${schema}.credit_usage_daily (
      transactions bigint not null,
      used bigint not null,
      purchased bigint not null,
      refunded bigint not null,
      added bigint not null,
      first_seq bigint not null,
      last_seq bigint not null,
      day date not null,
      user_id text not null,
      credit_type text not null,
      constraint credit_usage_daily_pkey primary key (user_id, credit_type, day)
    )`,
    `create table ${schema}.credit_usage_marks (
      seq bigint not null,
      user_id text not null,
      credit_type text not null,
      constraint credit_usage_marks_pkey primary key (user_id, credit_type)
    )`,
  ]
}
