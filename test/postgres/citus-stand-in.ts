import type { SqlDatabase, SqlExecutor, SqlValue } from '../../adapters/postgres/sql-database.js'

/*
 * Citus itself can't be installed from npm, so it has never run our tests. This stands in for it with what its documentation and
 * its source say: the names and signatures of its functions, what its catalog remembers, and what it refuses with 0A000.
 */

/** Functions that note what is asked of them, and the catalog in which Citus keeps which table is where. */
export const CITUS_STAND_IN = `
  create schema citus;
  create type citus.distribution_type as enum ('hash', 'range', 'append');
  create table pg_dist_partition (logicalrelid regclass primary key, partmethod "char", colocated_with text, shared boolean);
  create function create_distributed_table(table_name regclass, distribution_column text,
    distribution_type citus.distribution_type default 'hash', colocate_with text default 'default',
    shard_count integer default null) returns void language plpgsql as $$
    begin
      if exists (select from pg_index i where i.indrelid = table_name and i.indisunique and not exists (
        select from pg_attribute a where a.attrelid = table_name and a.attname = distribution_column
          and a.attnum = any(i.indkey::int2[])))
        then raise 'cannot create constraint on "%"', table_name using errcode = '0A000';
      end if;
      if colocate_with not in ('default', 'none') and not exists (
        select from pg_dist_partition where logicalrelid = colocate_with::regclass and partmethod = 'h')
        then raise 'relation % is not distributed', colocate_with;
      end if;
      insert into pg_dist_partition values (table_name, 'h', colocate_with, false);
    end $$;
  create function create_reference_table(table_name regclass) returns void language sql as $$
    insert into pg_dist_partition values (table_name, 'n', null, true) $$`

/** A database that refuses what Citus refuses of our statements, until they name the one user whose machine it is to ask. */
export function refusingAsCitus(real: SqlDatabase): SqlDatabase & { refused: number } {
  const on = (sql: SqlExecutor): SqlExecutor => ({
    async query(text, values) {
      if (isRefusedByCitus(text, values)) {
        database.refused += 1
        // Before it is run, as at its planning; and what has happened in the transaction is lost.
        throw Object.assign(new Error('could not run distributed query with FOR UPDATE/SHARE commands'), {
          code: '0A000',
        })
      }
      return sql.query(text, values)
    },
  })
  const database = {
    refused: 0,
    ...on(real),
    transaction: <T>(work: (tx: SqlExecutor) => Promise<T>, options?: { snapshot?: boolean }): Promise<T> =>
      real.transaction((tx) => work(on(tx)), options),
    hostTransaction: real.hostTransaction.bind(real),
    close: () => real.close(),
  }
  return database
}

function isRefusedByCitus(text: string, values: readonly SqlValue[]): boolean {
  // Functions whose answer changes, in a statement that changes rows: as `spend` has them.
  if (text.includes('set_config(')) return true
  // A recursive query over all users. (That of `claimEvents`, too: it is let through, so that everything else about events is
  // tested.)
  if (text.includes('with recursive grown')) return true
  // Locks of rows that one user has, where the statement does not say so. (Of several users it can't: they are let through
  // here, so that everything else about such commands is tested.)
  if (!/for update of [ap]$/.test(text) || /user_id = \$\d/.test(text)) return false
  const sent = JSON.parse(String(values[0])) as { userId: string }[]
  return new Set(sent.map(({ userId }) => userId)).size === 1
}
