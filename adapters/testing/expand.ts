import { invalidRequest } from './api-error.js'
import { emptyForm } from './form-body.js'
import { snapshot, type StoredObjects, type StripeAccount } from './stripe-account.js'

/** What a field becomes when a caller expands it. */
interface Expansion {
  /** The kind of object that stands there afterwards, for the next step of the path. */
  readonly gives: string
  /** For fields that hold no id: make the value. */
  readonly make?: (account: StripeAccount, owner: Wire) => unknown
}

/** By kind of object, by field. Each resource contributes its own. */
export type Expandable = Record<string, Record<string, Expansion>>

type Wire = Record<string, unknown>

/** A reference by id to a stored object. */
export function reference(gives: keyof StoredObjects): Expansion {
  return { gives }
}

/**
 * Check `expand` before anything is carried out.
 *
 * @param kind The kind of object the call answers with; for list calls, of the list's entries.
 * @throws {ApiError} 400: a path leads nowhere or is deeper than 4 levels.
 */
export function checkExpand(paths: readonly string[], kind: string, isList: boolean, expandable: Expandable): void {
  for (const path of paths) {
    const steps = path.split('.')
    if (steps.length > 4) throw invalidRequest('You cannot expand more than 4 levels of a property', 'expand')
    if (isList && steps.shift() !== 'data') throw cannotExpand(path)
    let at = kind
    for (const step of steps) {
      const isEntries = step === 'data' && at.startsWith('list:')
      const next = isEntries ? at.slice('list:'.length) : fieldsOf(expandable, at)[step]?.gives
      if (next === undefined) throw cannotExpand(path)
      at = next
    }
  }
}

/** A copy of `object` as it goes over the wire, with the fields named by `paths` filled in. */
export function render(
  account: StripeAccount,
  object: unknown,
  paths: readonly string[],
  expandable: Expandable,
): Wire {
  const copy = snapshot(object) as Wire
  for (const path of paths) expandStep(account, copy, path.split('.'), expandable)
  return copy
}

function expandStep(account: StripeAccount, owner: Wire, steps: readonly string[], expandable: Expandable): void {
  const [step, ...rest] = steps
  if (step === undefined) return
  if (owner['object'] === 'list') {
    const entries = owner['data'] as Wire[]
    for (const entry of entries) expandStep(account, entry, step === 'data' ? rest : steps, expandable)
    return
  }
  const expansion = fieldsOf(expandable, String(owner['object']))[step]
  if (expansion === undefined) return
  const current = owner[step]
  if (expansion.make !== undefined) {
    if (typeof current !== 'object' || current === null) owner[step] = snapshot(expansion.make(account, owner))
  } else if (typeof current === 'string') {
    // `gives` of an expansion without `make` comes from `reference`, so it names a stored kind.
    owner[step] = snapshot(account.find(expansion.gives as keyof StoredObjects, current) ?? current)
  }
  const next = owner[step]
  if (typeof next === 'object' && next !== null) expandStep(account, next as Wire, rest, expandable)
}

function fieldsOf(expandable: Expandable, kind: string): Record<string, Expansion> {
  const fields = emptyForm() as unknown as Record<string, Expansion>
  return Object.assign(fields, Object.hasOwn(expandable, kind) ? expandable[kind] : {})
}

function cannotExpand(path: string): Error {
  return invalidRequest(`This property cannot be expanded (${path}).`, 'expand')
}
