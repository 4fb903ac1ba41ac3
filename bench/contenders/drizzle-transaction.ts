import { and, eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { bigint, bigserial, index, pgSchema, type PgDatabase, type PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { ACCOUNTS, type Contender, contenderHere } from '../load.js'
import { openPool } from '../pool.js'
import { PLENTY } from './creditkit.js'

const SCHEMA = 'bench_drizzle'
const schema = pgSchema(SCHEMA)

/** What most write first: a balance and a history, nothing for keys, expiry or refunds. */
const accounts = schema.table(
  'accounts',
  {
    userId: text('user_id').notNull(),
    creditType: text('credit_type').notNull(),
    balance: bigint('balance', { mode: 'number' }).notNull(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.creditType] })],
)
const transactions = schema.table(
  'transactions',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    userId: text('user_id').notNull(),
    creditType: text('credit_type').notNull(),
    amount: bigint('amount', { mode: 'number' }).notNull(),
    balanceAfter: bigint('balance_after', { mode: 'number' }).notNull(),
    description: text('description').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('transactions_user').on(t.userId, t.createdAt)],
)

/** The tables and their accounts. */
export const DRIZZLE_TABLES = `
  create schema ${SCHEMA};
  create table ${SCHEMA}.accounts (user_id text not null, credit_type text not null, balance bigint not null,
    updated_at timestamptz not null default now(), primary key (user_id, credit_type));
  create table ${SCHEMA}.transactions (id bigserial primary key, user_id text not null, credit_type text not null,
    amount bigint not null, balance_after bigint not null, description text not null,
    created_at timestamptz not null default now());
  create index transactions_user on ${SCHEMA}.transactions (user_id, created_at);
  insert into ${SCHEMA}.accounts (user_id, credit_type, balance) values ('hot', 'tokens', ${PLENTY}), ('empty', 'tokens', 0);
  insert into ${SCHEMA}.accounts (user_id, credit_type, balance)
    select 'u' || n, 'tokens', ${PLENTY} from generate_series(1, ${ACCOUNTS}) n;`

/** BEGIN, SELECT … FOR UPDATE, look, UPDATE, INSERT, COMMIT. */
export async function deductInteractively<T extends PgQueryResultHKT>(
  db: PgDatabase<T>,
  userId: string,
): Promise<boolean> {
  const account = and(eq(accounts.userId, userId), eq(accounts.creditType, 'tokens'))
  return db.transaction(async (tx) => {
    const [found] = await tx.select().from(accounts).where(account).for('update')
    if (found === undefined || found.balance < 1) return false
    const balance = found.balance - 1
    await tx.update(accounts).set({ balance, updatedAt: new Date() }).where(account)
    await tx
      .insert(transactions)
      .values({ userId, creditType: 'tokens', amount: -1, balanceAfter: balance, description: 'Enriched a lead' })
    return true
  })
}

export const COUNT_TRANSACTIONS = `select count(*)::int as uses from ${SCHEMA}.transactions`

/** The usual interactive transaction, on lean tables of its own. */
export async function drizzleTransaction(url: string): Promise<Contender> {
  const pool = openPool(url)
  await pool.query(DRIZZLE_TABLES)
  await pool.query(`vacuum (analyze) ${SCHEMA}.accounts`)
  const db = drizzle(pool)
  return contenderHere(
    'interactive Drizzle transaction',
    (user) => deductInteractively(db, user),
    async () => (await pool.query<{ uses: number }>(COUNT_TRANSACTIONS)).rows[0]?.uses ?? Number.NaN,
    () => pool.end(),
  )
}
