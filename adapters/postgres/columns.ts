import type { Account } from '../../src/ledger/account.js'
import type { AutoTopup } from '../../src/ledger/auto-topup.js'
import type { EventRecord } from '../../src/ledger/event.js'
import type { Grant } from '../../src/ledger/grant.js'
import type { Hold } from '../../src/ledger/hold.js'
import type { LimitCount } from '../../src/ledger/limit.js'
import type { PaymentFact, Purchase, QuarantineEntry } from '../../src/ledger/purchase.js'
import type { Schedule } from '../../src/ledger/schedule.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import type { CreditPackage } from '../../src/ports/package-store.js'
import type { CustomerRecord, SubscriptionRecord } from '../../src/ports/purchase-store.js'
import type { UserIdType } from '../../src/ports/store.js'

/** How a column is kept. `user`: the host's own type of user id. */
type ColumnType = 'bigint' | 'integer' | 'boolean' | 'text' | 'uuid' | 'jsonb' | 'timestamptz' | 'user'

/** One column: the field of our records it holds, its name in SQL, its type. */
export type Column = readonly [field: string, column: string, type: ColumnType]

type ColumnOf<R> = readonly [field: keyof R & string, column: string, type: ColumnType]

/** Keeps a list of columns to the fields of its record. */
const columns = <R>(...list: readonly ColumnOf<R>[]): readonly ColumnOf<R>[] => list

/** A ledger row as it is stored: one allocation of everything is just a grant id. */
export type StoredTransaction = Omit<Transaction, 'allocations'> & {
  grantId: string | null
  allocations: Transaction['allocations'] | null
}

export const ACCOUNT_COLUMNS = columns<Account>(
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['balance', 'balance', 'bigint'],
  ['held', 'held', 'bigint'],
  ['debt', 'debt', 'bigint'],
  ['totalPurchased', 'total_purchased', 'bigint'],
  ['totalUsed', 'total_used', 'bigint'],
  ['seq', 'seq', 'bigint'],
  ['version', 'version', 'bigint'],
  ['keyVersion', 'key_version', 'bigint'],
  ['headGrantId', 'head_grant_id', 'uuid'],
  ['headRemaining', 'head_remaining', 'bigint'],
  ['scheduled', 'scheduled', 'bigint'],
  ['nextDueAt', 'next_due_at', 'timestamptz'],
  ['lastCredit', 'last_credit', 'bigint'],
  ['alertFloor', 'alert_floor', 'bigint'],
  ['topupThreshold', 'topup_threshold', 'bigint'],
  ['topupDue', 'topup_due', 'boolean'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const TRANSACTION_COLUMNS = columns<StoredTransaction>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['seq', 'seq', 'bigint'],
  ['transactionType', 'transaction_type', 'text'],
  ['amount', 'amount', 'bigint'],
  ['balanceAfter', 'balance_after', 'bigint'],
  ['description', 'description', 'text'],
  ['referenceId', 'reference_id', 'text'],
  ['referenceType', 'reference_type', 'text'],
  ['metadata', 'metadata', 'jsonb'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['effectiveAt', 'effective_at', 'timestamptz'],
  ['idempotencyKey', 'idempotency_key', 'text'],
  ['request', 'request', 'jsonb'],
  ['relatedId', 'related_id', 'uuid'],
  ['actor', 'actor', 'text'],
  ['grantId', 'grant_id', 'uuid'],
  ['allocations', 'allocations', 'jsonb'],
)

export const GRANT_COLUMNS = columns<Grant>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['amount', 'amount', 'bigint'],
  ['remaining', 'remaining', 'bigint'],
  ['held', 'held', 'bigint'],
  ['shortfall', 'shortfall', 'bigint'],
  ['writtenOff', 'written_off', 'bigint'],
  ['open', 'open', 'boolean'],
  ['effectiveAt', 'effective_at', 'timestamptz'],
  ['expiresAt', 'expires_at', 'timestamptz'],
  ['priority', 'priority', 'integer'],
  ['source', 'source', 'text'],
  ['paidAmount', 'paid_amount', 'bigint'],
  ['currency', 'currency', 'text'],
  ['purchaseId', 'purchase_id', 'uuid'],
  ['scheduleId', 'schedule_id', 'uuid'],
  ['voidedAt', 'voided_at', 'timestamptz'],
  ['noticedAt', 'noticed_at', 'timestamptz'],
  ['seq', 'seq', 'bigint'],
  ['createdAt', 'created_at', 'timestamptz'],
)

export const HOLD_COLUMNS = columns<Hold>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['amount', 'amount', 'bigint'],
  ['captured', 'captured', 'bigint'],
  ['status', 'status', 'text'],
  ['expiresAt', 'expires_at', 'timestamptz'],
  ['allocations', 'allocations', 'jsonb'],
  ['description', 'description', 'text'],
  ['referenceId', 'reference_id', 'text'],
  ['referenceType', 'reference_type', 'text'],
  ['metadata', 'metadata', 'jsonb'],
  ['actor', 'actor', 'text'],
  ['request', 'request', 'jsonb'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const SCHEDULE_COLUMNS = columns<Schedule>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['plan', 'plan', 'text'],
  ['amount', 'amount', 'bigint'],
  ['every', 'every', 'text'],
  ['rolloverMax', 'rollover_max', 'bigint'],
  ['source', 'source', 'text'],
  ['priority', 'priority', 'integer'],
  ['anchorAt', 'anchor_at', 'timestamptz'],
  ['nextAt', 'next_at', 'timestamptz'],
  ['periodFrom', 'period_from', 'timestamptz'],
  ['periodGranted', 'period_granted', 'bigint'],
  ['status', 'status', 'text'],
  ['subscriptionId', 'subscription_id', 'text'],
  ['itemId', 'item_id', 'text'],
  ['priceId', 'price_id', 'text'],
  ['paidFrom', 'paid_from', 'timestamptz'],
  ['changedFrom', 'changed_from', 'timestamptz'],
  ['paidUntil', 'paid_until', 'timestamptz'],
  ['purchaseId', 'purchase_id', 'uuid'],
  ['undelivered', 'undelivered', 'bigint'],
  ['raises', 'raises', 'jsonb'],
  ['graceSeconds', 'grace_seconds', 'integer'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const LIMIT_COLUMNS = columns<LimitCount>(
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['limitName', 'limit_name', 'text'],
  ['windowStart', 'window_start', 'timestamptz'],
  ['used', 'used', 'bigint'],
)

export const EVENT_COLUMNS = columns<EventRecord>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['kind', 'kind', 'text'],
  ['payload', 'payload', 'jsonb'],
  ['seq', 'seq', 'bigint'],
  ['position', 'position', 'integer'],
  ['createdAt', 'created_at', 'timestamptz'],
)

export const PURCHASE_COLUMNS = columns<Purchase>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['origin', 'origin', 'text'],
  ['packageId', 'package_id', 'integer'],
  ['packageName', 'package_name', 'text'],
  ['quantity', 'quantity', 'integer'],
  ['credits', 'credits', 'bigint'],
  ['unitPriceMinor', 'unit_price_minor', 'bigint'],
  ['currency', 'currency', 'text'],
  ['status', 'status', 'text'],
  ['provider', 'provider', 'text'],
  ['livemode', 'livemode', 'boolean'],
  ['sessionId', 'session_id', 'text'],
  ['paymentId', 'payment_id', 'text'],
  ['chargeId', 'charge_id', 'text'],
  ['invoiceId', 'invoice_id', 'text'],
  ['paidMinor', 'paid_minor', 'bigint'],
  ['clawed', 'clawed', 'bigint'],
  ['withheld', 'withheld', 'bigint'],
  ['absorbed', 'absorbed', 'bigint'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
  ['fulfilledAt', 'fulfilled_at', 'timestamptz'],
)

export const FACT_COLUMNS = columns<PaymentFact>(
  ['id', 'id', 'text'],
  ['paymentId', 'payment_id', 'text'],
  ['userId', 'user_id', 'user'],
  ['purchaseId', 'purchase_id', 'uuid'],
  ['kind', 'kind', 'text'],
  ['amountMinor', 'amount_minor', 'bigint'],
  ['currency', 'currency', 'text'],
  ['status', 'status', 'text'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const QUARANTINE_COLUMNS = columns<QuarantineEntry>(
  ['id', 'id', 'uuid'],
  ['userId', 'user_id', 'text'],
  ['purchaseId', 'purchase_id', 'uuid'],
  ['invoiceId', 'invoice_id', 'text'],
  ['reason', 'reason', 'text'],
  ['details', 'details', 'jsonb'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['resolvedAt', 'resolved_at', 'timestamptz'],
  ['resolvedBy', 'resolved_by', 'text'],
  ['resolution', 'resolution', 'text'],
)

export const CUSTOMER_COLUMNS = columns<CustomerRecord>(
  ['userId', 'user_id', 'user'],
  ['provider', 'provider', 'text'],
  ['livemode', 'livemode', 'boolean'],
  ['customerId', 'customer_id', 'text'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const SUBSCRIPTION_COLUMNS = columns<SubscriptionRecord>(
  ['id', 'id', 'text'],
  ['userId', 'user_id', 'user'],
  ['provider', 'provider', 'text'],
  ['livemode', 'livemode', 'boolean'],
  ['customerId', 'customer_id', 'text'],
  ['status', 'status', 'text'],
  ['items', 'items', 'jsonb'],
  ['cancelAtPeriodEnd', 'cancel_at_period_end', 'boolean'],
  ['collectionPaused', 'collection_paused', 'boolean'],
  ['endedAt', 'ended_at', 'timestamptz'],
  ['trialEndsAt', 'trial_ends_at', 'timestamptz'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const TOPUP_COLUMNS = columns<AutoTopup>(
  ['userId', 'user_id', 'user'],
  ['creditType', 'credit_type', 'text'],
  ['threshold', 'threshold', 'bigint'],
  ['packageId', 'package_id', 'integer'],
  ['quantity', 'quantity', 'integer'],
  ['maxPerMonth', 'max_per_month', 'integer'],
  ['maxAmountMinor', 'max_amount_minor', 'bigint'],
  ['status', 'status', 'text'],
  ['openPurchaseId', 'open_purchase_id', 'uuid'],
  ['openSince', 'open_since', 'timestamptz'],
  ['failures', 'failures', 'integer'],
  ['retryAt', 'retry_at', 'timestamptz'],
  ['monthStart', 'month_start', 'timestamptz'],
  ['monthCount', 'month_count', 'integer'],
  ['monthMinor', 'month_minor', 'bigint'],
  ['lastFailure', 'last_failure', 'text'],
  ['recoveryUrl', 'recovery_url', 'text'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

export const PACKAGE_COLUMNS = columns<CreditPackage>(
  ['id', 'id', 'integer'],
  ['key', 'key', 'text'],
  ['name', 'name', 'text'],
  ['description', 'description', 'text'],
  ['creditAmount', 'credit_amount', 'bigint'],
  ['price', 'price', 'bigint'],
  ['currency', 'currency', 'text'],
  ['creditType', 'credit_type', 'text'],
  ['isActive', 'is_active', 'boolean'],
  ['sortOrder', 'sort_order', 'integer'],
  ['metadata', 'metadata', 'jsonb'],
  ['stripePriceId', 'stripe_price_id', 'text'],
  ['createdAt', 'created_at', 'timestamptz'],
  ['updatedAt', 'updated_at', 'timestamptz'],
)

/** Column names, for an insert or a select list. */
export function columnNames(list: readonly Column[], alias?: string): string {
  return list.map(([, column]) => (alias === undefined ? column : `${alias}.${column}`)).join(', ')
}

/** `jsonb_to_recordset(<json>) as <alias>(<columns>)`: rows sent as JSON, under their column names. */
export function recordset(json: string, alias: string, list: readonly Column[], userIdType: UserIdType): string {
  const definitions = list.map(([, column, type]) => `${column} ${type === 'user' ? userIdType : type}`)
  return `jsonb_to_recordset(${json}) as ${alias}(${definitions.join(', ')})`
}

/** `<column> = <source>.<column>, …` for every column not left out. */
export function assignments(list: readonly Column[], source: string, except: readonly string[]): string {
  return list
    .filter(([, column]) => !except.includes(column))
    .map(([, column]) => `${column} = ${source}.${column}`)
    .join(', ')
}

/** A JSON object of one row, under our field names; moments as milliseconds since the epoch, user ids as text. */
export function jsonRow(list: readonly Column[], alias: string): string {
  const pairs = list.map(([field, column, type]) => `'${field}', ${jsonValue(`${alias}.${column}`, type)}`)
  return `json_build_object(${pairs.join(', ')})`
}

function jsonValue(expression: string, type: ColumnType): string {
  if (type === 'timestamptz') return epochMs(expression)
  return type === 'user' ? `${expression}::text` : expression
}

/** A moment as whole milliseconds since the epoch: no session's time zone or date style can change it. */
export function epochMs(expression: string): string {
  return `(extract(epoch from ${expression}) * 1000)::bigint`
}

/** Our records as rows to send: under column names, moments as ISO text. */
export function toJsonRows(list: readonly Column[], records: readonly object[]): object[] {
  return records.map((record) => {
    const values = record as Record<string, unknown>
    return Object.fromEntries(list.map(([field, column]) => [column, values[field] ?? null]))
  })
}

/** A row read by {@link jsonRow} as our record again. */
export function fromJsonRow<R>(list: readonly ColumnOf<R>[], row: unknown): R {
  const record = row as Record<string, unknown>
  for (const [field, , type] of list) {
    const value = record[field]
    if (type === 'timestamptz' && typeof value === 'number') record[field] = new Date(value)
  }
  // The columns of the list are the fields of R, by the types of the lists above.
  return record as R
}

/** A transaction as it is stored: an allocation of all of it to one grant needs no JSON. */
export function encodeTransaction(transaction: Transaction): StoredTransaction {
  const { allocations, ...rest } = transaction
  const [only, second] = allocations
  const whole = only !== undefined && second === undefined && 'amount' in only
  return { ...rest, grantId: whole ? only.grantId : null, allocations: whole ? null : allocations }
}

/** The transaction of a row read by {@link jsonRow}. */
export function decodeTransaction(row: unknown): Transaction {
  const { grantId, allocations, ...rest } = fromJsonRow(TRANSACTION_COLUMNS, row)
  const whole = grantId === null ? [] : [{ grantId, amount: Math.abs(rest.amount) }]
  return { ...rest, allocations: allocations ?? whole }
}
