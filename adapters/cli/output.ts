import { styleText } from 'node:util'
import type { Terminal } from './terminal.js'

export type Cell = string | number | Date | null

/** One row per object, the keys of the first one as heads; columns of numbers are aligned to the right. */
export function tableText(rows: readonly Readonly<Record<string, Cell>>[], isColourful = false): string {
  const heads = Object.keys(rows[0] ?? {})
  const columns = heads.map((head) => {
    const cells = rows.map((row) => row[head] ?? null)
    const isNumeric = cells.every((cell) => typeof cell === 'number' || cell === null)
    const width = Math.max(head.length, ...cells.map((cell) => show(cell).length))
    return (cell: Cell) => (isNumeric ? show(cell).padStart(width) : show(cell).padEnd(width))
  })
  const line = (cells: readonly Cell[]) =>
    `  ${columns.map((pad, index) => pad(cells[index] ?? null)).join('  ')}`.trimEnd()
  const head = line(heads)
  const lines = [
    isColourful ? styleText('dim', head) : head,
    ...rows.map((row) => line(heads.map((head) => row[head] ?? null))),
  ]
  return `${lines.join('\n')}\n`
}

function show(cell: Cell): string {
  if (cell === null) return ''
  if (cell instanceof Date)
    return cell
      .toISOString()
      .replace('T', ' ')
      .replace(/\.\d+Z$/, 'Z')
  // Texts come from users: a control character could move the cursor and hide a row.
  return typeof cell === 'number' ? cell.toLocaleString('en-US') : cell.replace(/\p{Cc}/gu, ' ')
}

/** A number of things, in words. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`
}

/** The result of a command: JSON for programs, text for people. */
export async function print(
  terminal: Terminal,
  isJson: boolean | undefined,
  json: unknown,
  text: string,
): Promise<void> {
  await terminal.out(isJson === true ? `${JSON.stringify(json, null, 2)}\n` : text)
}

export interface Progress {
  /** So much of `total` is done; null: nobody knows how much there is. */
  show(done: number, total: number | null, what: string): void
  end(): void
}

const BAR_WIDTH = 24
const MIN_PAUSE_MS = 80

/** A bar on stderr, where a person looks at it; nothing anywhere else. */
export function progress(terminal: Terminal): Progress {
  let shownAt = 0
  return {
    show: (done, total, what) => {
      if (!terminal.isInteractive || Date.now() - shownAt < MIN_PAUSE_MS) return
      shownAt = Date.now()
      terminal.err(`\r\u001b[2K${total === null ? '' : bar(total === 0 ? 1 : Math.min(1, done / total))}${what}`)
    },
    end: () => {
      if (shownAt > 0) terminal.err('\r\u001b[2K')
    },
  }
}

function bar(share: number): string {
  const full = Math.round(share * BAR_WIDTH)
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)} %  `
}
