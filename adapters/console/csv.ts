type Cell = string | number | Date | null | undefined

/** Spreadsheets take cells that begin like this for formulas. Source: OWASP's page on CSV injection. */
const FORMULA_START = /^[=+\-@\t\r]/

/** One line by RFC 4180. Numbers stay numbers; texts that a spreadsheet would run get an apostrophe in front. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number') return String(cell)
  if (cell instanceof Date) return cell.toISOString()
  const isNumber = /^[+-]?\d+(\.\d+)?$/.test(cell)
  const text = FORMULA_START.test(cell) && !isNumber ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * A file to save, made while it is sent: `pages` gives the lines of one page of a list after another. When one can't be
 * read the download breaks off, so that half a list never looks like a whole one.
 */
export function csvDownload(name: string, head: readonly string[], pages: AsyncIterator<string, void>): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(csvLine(head))),
    pull: async (controller) => {
      const { value, done } = await pages.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    cancel: async () => {
      await pages.return?.()
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${fileName(name)}.csv"`,
    },
  })
}

/** Nothing that ends the quotes or the header, or leads to another folder. */
function fileName(name: string): string {
  return name.replaceAll(/[^\w-]+/g, '_') || 'download'
}
