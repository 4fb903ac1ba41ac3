import { DoorRefusal } from '../../src/api/requests.js'
import type { Page } from './frame.js'

/** Which page a request asks for, and the fields that stand in its path. Of several the first in the table. */
export function matchPage(
  pages: readonly Page[],
  method: string,
  path: string,
): { page: Page; fields: Record<string, string> } {
  const found = pages.flatMap((page) => {
    const fields = fieldsOf(page.path, path)
    return fields === null ? [] : [{ page, fields }]
  })
  const asked = found.find(({ page }) => page.method === (method === 'HEAD' ? 'GET' : method))
  if (asked !== undefined) return asked
  if (found.length === 0) throw new DoorRefusal(404, 'NOT_FOUND', 'There is no such page')
  const allow = [...new Set(found.map(({ page }) => page.method))].join(', ')
  throw new DoorRefusal(405, 'METHOD_NOT_ALLOWED', `This page can't be asked for by ${method}`, { allow })
}

/** The path's fields; null: another path. */
function fieldsOf(pattern: string, path: string): Record<string, string> | null {
  const parts = pattern.split('/')
  const segments = path.split('/')
  if (parts.length !== segments.length) return null
  const fields: Record<string, string> = {}
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? ''
    if (part.startsWith('{')) {
      const text = decoded(segment)
      if (text === null || text === '') return null
      fields[part.slice(1, -1)] = text
    } else if (part !== segment) return null
  }
  return fields
}

/** Null: it is no text, so it names nothing. */
function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    // Nothing is lost: what can't be decoded was never in a link of ours.
    return null
  }
}
