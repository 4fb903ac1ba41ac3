import { quoteIdentifier } from './sql-tables.js'

/** Statements that make the views for reports, for tables that `migrate` made in `schema` (quoted already). */
export function reportViews(schema: string): string[] {
  return viewStatements((name) => `${schema}.${name}`)
}

/**
 * The views for reports as one SQL text, for hosts that own the tables: put it into a migration of your own, after the
 * tables. `schema` and `prefix` as for `creditTables`.
 */
export function creditViews({ schema, prefix = '' }: CreditViewsOptions = {}): string {
  const place = schema === undefined ? '' : `${quoteIdentifier(schema)}.`
  const statements = viewStatements((name) => `${place}${quoteIdentifier(`${prefix}${name}`)}`)
  return statements.map((statement) => `${statement};\n`).join('\n')
}

export interface CreditViewsOptions {
  /** Name of the schema the tables are in. Default: the first of the session's search path. */
  schema?: string | undefined
  /** Before the name of every table and view. Default: none. */
  prefix?: string | undefined
}

/**
 * One row per allocation: how many credits of a transaction came from or went to one grant (`credits`, signed like the
 * transaction), or changed the debt (`is_debt`).
 */
export function allocationRows(transactions: string, grants: string): string {
  const transaction = `t.user_id, t.credit_type, t.seq, t.id as transaction_id, t.transaction_type, t.related_id, t.created_at`
  return `select part.*, g.source, g.currency, part.credits::numeric * g.paid_amount / g.amount as paid_value
    from (
      select ${transaction}, t.grant_id, t.amount as credits, false as is_debt
      from ${transactions} t where t.grant_id is not null
      union all
      select ${transaction}, (item->>'grantId')::uuid,
        case when t.amount < 0 then -1 else 1 end * coalesce(item->>'amount', item->>'debt')::bigint,
        item->>'debt' is not null
      from ${transactions} t cross join jsonb_array_elements(t.allocations) item where t.allocations is not null
    ) part
    left join ${grants} g on g.user_id = part.user_id and g.id = part.grant_id`
}

function viewStatements(place: (name: string) => string): string[] {
  return VIEWS.flatMap(({ name, select, comment }) => [
    `create view ${place(name)} as\n    ${select(place)}`,
    `comment on view ${place(name)} is '${comment}'`,
  ])
}

/** A use, or what was given back of one. */
const USE = `(transaction_type = 'usage' or transaction_type = 'refund' and related_id is not null)`

const UTC_DAY = `(created_at at time zone 'UTC')::date`

/** In the order in which they build on each other. Names and columns are promised to hosts: add, never change. */
const VIEWS: readonly { name: string; select: (place: (name: string) => string) => string; comment: string }[] = [
  {
    name: 'credit_allocations',
    select: (place) => allocationRows(place('credit_transactions'), place('credit_grants')),
    comment:
      'One row per transaction and grant it touched. credits: signed like the transaction; is_debt: debt made or ' +
      'repaid; paid_value: minor units of currency, unrounded, null where no price is known',
  },
  {
    name: 'credit_outstanding',
    select: (place) => `select credit_type, source, currency, sum(remaining + held)::bigint as credits,
      sum(held)::bigint as held, sum((remaining + held)::numeric * paid_amount / amount) as paid_value
    from ${place('credit_open_grants')} group by credit_type, source, currency`,
    comment:
      'Credits still owed to users now, held ones among them, and what was paid for them. Credits that have ended count ' +
      'until their expiration is written',
  },
  {
    name: 'credit_breakage',
    select: (place) => `select ${UTC_DAY} as day, credit_type, source, currency,
      -sum(credits)::bigint as credits, -sum(paid_value) as paid_value
    from ${place('credit_allocations')} where transaction_type in ('expiration', 'void')
    group by 1, credit_type, source, currency`,
    comment: 'Credits that expired or were voided unused, by the UTC day it was written, and what was paid for them',
  },
  {
    name: 'credit_revenue',
    select: (place) => `select ${UTC_DAY} as day, credit_type, source, currency,
      -sum(credits)::bigint as credits, -sum(paid_value) as paid_value
    from ${place('credit_allocations')} where ${USE}
    group by 1, credit_type, source, currency`,
    comment: 'Credits used less those given back, by UTC day, and what was paid for them: revenue recognised by use',
  },
  {
    name: 'credit_usage_by_source',
    select: (place) => `select ${UTC_DAY} as day, credit_type, source,
      coalesce(-sum(credits) filter (where transaction_type = 'usage'), 0)::bigint as used,
      coalesce(sum(credits) filter (where transaction_type = 'refund'), 0)::bigint as refunded
    from ${place('credit_allocations')} where ${USE}
    group by 1, credit_type, source`,
    comment: 'Credits used, and credits of uses given back, by UTC day and by where the credits came from',
  },
]
