/** The time of a statement: as injected by its placeholder, else the database's own, in the milliseconds we keep. */
export function clockOr(placeholder: string): string {
  return `coalesce(${placeholder}::text::timestamptz, date_trunc('milliseconds', clock_timestamp()))`
}
