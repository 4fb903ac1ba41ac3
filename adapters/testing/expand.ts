import { invalidRequest } from './api-error.js'
import { emptyForm } from './form-body.js'
import { snapshot, type StoredKind, type StripeAccount } from './stripe-account.js'

/** What a field becomes when a caller expands it. */
interface Expansion {
  /** The kind of object that stands there afterwards, for the next step of the path. */
  readonly gives: string
  /** For fields that hold no id: make the value. */
  readonly make?: (account: StripeAccount, owner: Wire) => unknown
  /** For fields that are always there and only lead on to others. */
  readonly leadsOn?: boolean
}

/** By kind of object, by field. Each resource contributes its own. */
export type Expandable = Record<string, Record<string, Expansion>>

type Wire = Record<string, unknown>

/** A reference by id, or a list of ids, to stored objects. */
export function reference(gives: StoredKind): Expansion {
  return { gives }
}

/** An object that is part of its owner; `name` is the kind under which its own fields stand in the table. */
export function partOf(name: string): Expansion {
  return { gives: name, leadsOn: true }
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

/** A copy of `object`, which is of this kind, as it goes over the wire, with the fields named by `paths` filled in. */
export function render(
  account: StripeAccount,
  object: unknown,
  kind: string,
  paths: readonly string[],
  expandable: Expandable,
): Wire {
  const copy = snapshot(object) as Wire
  for (const path of paths) expandStep(account, copy, kind, path.split('.'), expandable)
  return copy
}

function expandStep(
  account: StripeAccount,
  owner: Wire,
  kind: string,
  steps: readonly string[],
  expandable: Expandable,
): void {
  const [step, ...rest] = steps
  if (step === undefined) return
  const isEntries = step === 'data' && kind.startsWith('list:')
  const expansion = fieldsOf(expandable, kind)[step]
  if (expansion !== undefined && !isEntries) owner[step] = filled(account, owner, step, expansion)
  const gives = isEntries ? kind.slice('list:'.length) : expansion?.gives
  if (gives === undefined) return
  for (const next of [owner[step]].flat()) {
    if (typeof next === 'object' && next !== null) expandStep(account, next as Wire, gives, rest, expandable)
  }
}

/** What stands in the field after expanding it. */
function filled(account: StripeAccount, owner: Wire, step: string, expansion: Expansion): unknown {
  const current = owner[step]
  if (expansion.leadsOn === true) return current
  if (expansion.make !== undefined) {
    return typeof current === 'object' && current !== null ? current : snapshot(expansion.make(account, owner))
  }
  // `gives` of an expansion without `make` comes from `reference`, so it names a stored kind.
  const kind = expansion.gives as StoredKind
  const find = (id: unknown): unknown => (typeof id === 'string' ? snapshot(account.find(kind, id) ?? id) : id)
  return Array.isArray(current) ? current.map(find) : find(current)
}

function fieldsOf(expandable: Expandable, kind: string): Record<string, Expansion> {
  const fields = emptyForm() as unknown as Record<string, Expansion>
  return Object.assign(fields, Object.hasOwn(expandable, kind) ? expandable[kind] : {})
}

function cannotExpand(path: string): Error {
  return invalidRequest(`This property cannot be expanded (${path}).`, 'expand')
}
