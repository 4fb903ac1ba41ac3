import type { Client } from 'pg'

/** What a schema consists of, in Postgres' own words, without the schema's name and a prefix. */
export interface SchemaDescription {
  /** Per table or view, in order: name, type, nullability, default, identity. */
  columns: Record<string, string[]>
  /** Per table: name and definition. Primary keys, uniques, checks, foreign keys; not null where the server names it. */
  constraints: Record<string, string[]>
  indexes: Record<string, string[]>
  sequences: Record<string, string[]>
  views: Record<string, string[]>
}

/** Read the catalog. Only relations whose name begins with `prefix`; storage parameters (fillfactor) are left out. */
export async function describeSchema(
  client: Client,
  schema: string,
  { prefix = '', without = '' } = {},
): Promise<SchemaDescription> {
  // So that Postgres leaves the schema out of definitions.
  await client.query(`set search_path = ${schema}, public`)
  const read = async (select: string): Promise<Record<string, string[]>> => {
    const { rows } = await client.query<{ relation: string; item: string }>(
      `${select} and n.nspname = $1 and starts_with(c.relname, $2) and c.relname <> $3 order by c.relname, sort`,
      [schema, prefix, without],
    )
    const items: Record<string, string[]> = {}
    const bare = (text: string) => text.replaceAll(`${schema}.`, '').replaceAll(prefix, '')
    for (const { relation, item } of rows) (items[bare(relation)] ??= []).push(bare(item))
    return items
  }
  const relations = 'pg_class c join pg_namespace n on n.oid = c.relnamespace'
  const description = {
    columns: await read(
      `select c.relname as relation, a.attnum as sort,
        concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
          'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, '')) as item
      from ${relations} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where c.relkind in ('r', 'v')`,
    ),
    constraints: await read(
      `select c.relname as relation, o.conname as sort, o.conname || ' ' || pg_get_constraintdef(o.oid) as item
      from ${relations} join pg_constraint o on o.conrelid = c.oid where true`,
    ),
    indexes: await read(
      `select c.relname as relation, i.indexrelid::regclass::text as sort, pg_get_indexdef(i.indexrelid) as item
      from ${relations} join pg_index i on i.indrelid = c.oid where i.indisvalid`,
    ),
    sequences: await read(
      `select c.relname as relation, 1 as sort, (to_jsonb(s) - 'seqrelid')::text as item
      from ${relations} join pg_sequence s on s.seqrelid = c.oid where true`,
    ),
    views: await read(
      `select c.relname as relation, 1 as sort, pg_get_viewdef(c.oid) as item from ${relations} where c.relkind = 'v'`,
    ),
  }
  await client.query('reset search_path')
  return description
}
