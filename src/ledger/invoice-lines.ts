/** A line of an invoice, as far as lines are compared with each other. */
export interface BilledLine {
  lineId: string
  itemId: string | null
  priceId: string | null
  quantity: number
  proration: boolean
  amountMinor: number
  from: Date
  until: Date
}

/**
 * What an invoice sells in the end. Two changes in one moment bill what was between them and take it back, which sells
 * nothing: of 1 → 2 → 3 seats only the third line counts, of 1 → 2 → 1 none. What one item is billed for one time in several
 * lines is one line, which bears the first of their ids.
 */
export function netLines<L extends BilledLine>(lines: readonly L[]): L[] {
  const takenBack = lines.filter((line) => line.proration && line.amountMinor < 0)
  const sold = lines.filter((line) => {
    if (!line.proration || line.amountMinor < 0) return true
    const back = takenBack.findIndex((other) => isSame(line, other) && line.quantity === other.quantity)
    if (back >= 0) takenBack.splice(back, 1)
    return back < 0
  })
  return sold.reduce<L[]>((merged, line) => {
    const twin = merged.findIndex((other) => isSame(line, other) && line.amountMinor < 0 === other.amountMinor < 0)
    const found = merged[twin]
    if (found === undefined) return [...merged, line]
    return merged.with(twin, {
      ...found,
      lineId: found.lineId < line.lineId ? found.lineId : line.lineId,
      quantity: found.quantity + line.quantity,
      amountMinor: found.amountMinor + line.amountMinor,
    })
  }, [])
}

function isSame(a: BilledLine, b: BilledLine): boolean {
  const isItem = a.itemId === b.itemId && a.priceId === b.priceId && a.proration === b.proration
  return isItem && a.from.getTime() === b.from.getTime() && a.until.getTime() === b.until.getTime()
}
