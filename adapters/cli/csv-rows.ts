/** A row of a CSV file, and the line it begins on. */
export interface CsvRow {
  line: number
  cells: string[]
}

/** Longer ones are a quote that was never closed, or no CSV. */
const MAX_ROW_LENGTH = 65_536

/**
 * The rows of a CSV file by RFC 4180, one after another, so that a file of any size fits. Lines may end in LF, too; empty
 * ones are left out.
 *
 * @throws {Error} A quote that stands where none may, or is never closed; names the line.
 */
export async function* csvRows(chunks: AsyncIterable<string>): AsyncGenerator<CsvRow, void> {
  let cells: string[] = []
  let cell = ''
  let length = 0
  let line = 1
  let row = 1
  let place: 'start' | 'plain' | 'quoted' | 'after quote' = 'start'
  let isFirst = true
  let wasReturn = false

  const endCell = () => {
    cells.push(cell)
    cell = ''
    place = 'start'
  }
  const endRow = (): CsvRow | null => {
    endCell()
    const ended = { line: row, cells }
    cells = []
    length = 0
    row = line
    return ended.cells.length === 1 && ended.cells[0] === '' ? null : ended
  }

  for await (const chunk of chunks) {
    // A byte order mark, as spreadsheets write it.
    const text = isFirst && chunk.startsWith('\uFEFF') ? chunk.slice(1) : chunk
    isFirst = false
    for (const char of text) {
      const isEndOfPair = wasReturn && char === '\n'
      wasReturn = char === '\r'
      if ((char === '\n' && !isEndOfPair) || char === '\r') line += 1
      length += 1
      if (length > MAX_ROW_LENGTH) throw new Error(`line ${row}: the row is too long: is a quote never closed?`)
      if (place === 'quoted') {
        if (char === '"') place = 'after quote'
        else cell += char
      } else if (isEndOfPair) row = line
      else if (char === '\n' || char === '\r') {
        const ended = endRow()
        if (ended !== null) yield ended
      } else if (char === ',') endCell()
      else if (char === '"' && place !== 'plain') {
        // Two of them are one, inside.
        if (place === 'after quote') cell += char
        place = 'quoted'
      } else if (char === '"' || place === 'after quote')
        throw new Error(`line ${row}: a quote in the middle of a cell: write it twice, and quotes around the cell`)
      else {
        place = 'plain'
        cell += char
      }
    }
  }
  if (place === 'quoted') throw new Error(`line ${row}: a quote is never closed`)
  const last = cell === '' && cells.length === 0 ? null : endRow()
  if (last !== null) yield last
}
