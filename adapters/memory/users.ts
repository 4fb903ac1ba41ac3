import type { ReportStore } from '../../src/ports/report-store.js'

/** A page of users out of the owners of all accounts; see `ReportStore.findUsers`. */
export function pageOfUsers(
  owners: Iterable<string>,
  { prefix, limit, after }: Parameters<ReportStore['findUsers']>[0],
): string[] {
  return [...new Set(owners)]
    .filter((userId) => userId.startsWith(prefix) && (after === null || compareCodePoints(userId, after) > 0))
    .sort(compareCodePoints)
    .slice(0, limit)
}

/** `<` compares halves of surrogate pairs, and so has emoji before a few older characters. */
function compareCodePoints(a: string, b: string): number {
  const [left, right] = [codePoints(a), codePoints(b)]
  for (const [index, point] of left.entries()) {
    const other = right[index]
    if (other === undefined || point !== other) return point - (other ?? -1)
  }
  return left.length - right.length
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}
