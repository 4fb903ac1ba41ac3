/*
 * Ids in CSV files that may be opened in a spreadsheet, which takes a text that begins like a formula for one, unless an
 * apostrophe stands in front. An id that has such an apostrophe itself gets another, so that every id comes back as it was.
 */

const ESCAPED = /^'+[=+\-@\t\r]/

/** What `csvLine` is to be given: it puts the apostrophe in front of formulas itself. */
export function idToCsv(id: string): string {
  return ESCAPED.test(id) ? `'${id}` : id
}

/** The id that {@link idToCsv} and `csvLine` have written. */
export function idFromCsv(cell: string): string {
  return ESCAPED.test(cell) ? cell.slice(1) : cell
}
