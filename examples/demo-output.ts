import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]
type Cell = string | number

/** Colours are for people: none in a pipe, none where NO_COLOR is set. */
const isColourful = process.stdout.isTTY && !process.env.NO_COLOR

const paint = (format: Format, text: string) => (isColourful ? styleText(format, text) : text)

/** A step's caption. */
export function step(caption: string): void {
  console.log(`\n${paint('bold', caption)}`)
}

/** A remark below a caption or a table. */
export function note(text: string): void {
  console.log(`  ${paint('dim', text)}`)
}

/** The verdict of a check. */
export function good(text: string): void {
  console.log(`\n${paint(['green', 'bold'], text)}`)
}

/** One row per object, the keys of the first one as heads; columns of numbers are aligned to the right. */
export function table(rows: Record<string, Cell>[]): void {
  const heads = Object.keys(rows[0] ?? {})
  const columns = heads.map((head) => {
    const cells = rows.map((row) => row[head] ?? '')
    const isNumeric = cells.every((cell) => typeof cell === 'number' || /^[+−]?[\d,]*$/.test(cell))
    const width = Math.max(head.length, ...cells.map((cell) => show(cell).length))
    return (cell: Cell) => (isNumeric ? show(cell).padStart(width) : show(cell).padEnd(width))
  })
  const line = (cells: Cell[]) => `  ${columns.map((pad, index) => pad(cells[index] ?? '')).join('  ')}`.trimEnd()
  console.log(paint('dim', line(heads)))
  for (const row of rows) console.log(line(heads.map((head) => row[head] ?? '')))
}

/** `−30`, with the sign that is as wide as a digit. */
function show(cell: Cell): string {
  return typeof cell === 'number' ? cell.toLocaleString('en').replace('-', '−') : cell
}
