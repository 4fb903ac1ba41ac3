import * as z from 'zod'
import * as inputs from './inputs.js'
import { isStorableText } from './plain-json.js'
import type { UserBalances } from './ports/report-store.js'
import type { Session } from './session.js'

/** Which page of which users `findUsers` shows. Everything may be left out: the first 20 of all. */
export interface FindUsersInput {
  /** How their ids begin, to the letter. Default: everybody. */
  search?: string | undefined
  /** 1–200, default 20. */
  limit?: number | undefined
  /** `nextCursor` of the page before, with the same `search`. Default: the first page. */
  cursor?: string | null | undefined
}

export const findUsersInput = z.object({
  search: z.string().max(255).refine(isStorableText, 'must be well-formed text without NUL').default(''),
  limit: inputs.pageSize.default(20),
  cursor: inputs.identifier.nullish(),
})

/** Somebody who has an account, with the credits available to them of every configured type. */
export interface FoundUser<T extends string = string> {
  userId: string
  balances: Record<T, number>
}

/** One page of `findUsers`, in order of id as text. */
export interface UserPage<T extends string = string> {
  users: FoundUser<T>[]
  /** The next page's `cursor`; null: there are no more. */
  nextCursor: string | null
}

/** Users by the beginning of their ids. */
export async function findUsers<T extends string>(session: Session<T>, given: FindUsersInput): Promise<UserPage<T>> {
  const { search, limit, cursor: after = null } = inputs.parseInput(findUsersInput, given)
  const { store } = await session.open()
  // As user ids are made canonical.
  const prefix = store.userIdType === 'uuid' ? search.toLowerCase() : search
  // One more than the page tells whether the list goes on.
  const found = await store.findUsers({ prefix, limit: limit + 1, after }, session.now())
  const users = found.slice(0, limit).map((user) => toFoundUser(user, session.types.names))
  return { users, nextCursor: found.length > limit ? (users.at(-1)?.userId ?? null) : null }
}

function toFoundUser<T extends string>({ userId, balances }: UserBalances, names: readonly T[]): FoundUser<T> {
  const byType = new Map(balances.map(({ creditType, balance }) => [creditType, balance]))
  const entries = names.map((name) => [name, byType.get(name) ?? 0] as const)
  return { userId, balances: Object.fromEntries(entries) as Record<T, number> }
}
