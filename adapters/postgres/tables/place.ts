import type { BuildColumns } from 'drizzle-orm'
import {
  bigint,
  timestamp,
  type PgColumnBuilderBase,
  type PgTableFn,
  type PgTableWithColumns,
  type pgView,
} from 'drizzle-orm/pg-core'

/** The host's column for its user ids: named `user_id`, never null. */
export type UserIdColumn = PgColumnBuilderBase & { _: { notNull: true } }

/** Where a set of tables stands, how its names begin, and what a user id is in it. */
export interface Place<S extends string | undefined, P extends string, U extends UserIdColumn> {
  table: PgTableFn<S>
  view: typeof pgView
  /** Before the name of every table, constraint and index, so that two sets can share a schema. */
  prefix: P
  /** A new column every time it is called. */
  userId: () => U
}

/** One table: its schema, prefix, name and columns. Written out, since inferred it takes a page in the declarations. */
export type CreditTable<
  S extends string | undefined,
  P extends string,
  N extends string,
  C extends Record<string, PgColumnBuilderBase>,
> = PgTableWithColumns<{ name: `${P}${N}`; schema: S; columns: BuildColumns<`${P}${N}`, C, 'pg'>; dialect: 'pg' }>

/** Credits, or money in minor units. Safe integers in TypeScript, never a default (drizzle-kit can't write one). */
export function credits<N extends string>(name: N) {
  return bigint(name, { mode: 'number' })
}

/** A moment in time, as a `Date`. */
export function moment<N extends string>(name: N) {
  return timestamp(name, { withTimezone: true, mode: 'date' })
}
