import { type AccountHistory, auditAccount } from '../../src/ledger/audit.js'
import type { HistoryPlayer } from './history-player.js'
import { ACCOUNTS } from './random-histories.js'

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/**
 * Everything there is to see of a history: every row of every account and every public figure, as plain values. Ids are
 * replaced by their place among the ids seen so far, so that the same history looks the same on every store.
 */
export class HistoryView {
  readonly #names = new Map<string, string>()

  /** Also every figure that follows from the rows. `leaveOut`: names of fields, wherever they stand. */
  async see(player: HistoryPlayer, leaveOut: readonly string[] = []): Promise<unknown> {
    const { credits, userIds } = player
    const plans = await Promise.all(userIds.map((id) => credits.getPlan(id)))
    const seen = { ...(await readAll(player)), plans, single: await player.balances() }
    return this.#plain(seen, leaveOut)
  }

  /** Less than everything, for after each step. */
  async seeRows(player: HistoryPlayer, leaveOut: readonly string[] = []): Promise<unknown> {
    return this.#plain(await readAll(player), leaveOut)
  }

  #plain(seen: unknown, leaveOut: readonly string[]): unknown {
    return JSON.parse(this.#named(JSON.stringify(seen, sortedWithout(leaveOut))))
  }

  #named(json: string): string {
    return json.replace(ID, (id) => {
      const name = this.#names.get(id) ?? `id ${this.#names.size + 1}`
      this.#names.set(id, name)
      return name
    })
  }
}

async function readAll(player: HistoryPlayer) {
  const { credits, store, userIds, sessionIds } = player
  const accounts = await readAccounts(player)
  return {
    users: userIds.map((id) => id),
    accounts,
    violations: accounts.flatMap(auditAccount),
    balances: await Promise.all(userIds.map((id) => credits.getAllBalances(id))),
    grants: await Promise.all(userIds.map((id) => credits.getGrants(id))),
    purchases: await Promise.all(sessionIds.map((sessionId) => store.findPurchase({ sessionId }))),
  }
}

/** Every account of the two users, with its transactions, grants, holds and schedules, in an order of our own. */
export async function readAccounts({ store, userIds }: HistoryPlayer): Promise<AccountHistory[]> {
  const found: AccountHistory[] = []
  for (const userId of userIds) await store.scanAccounts({ userId, holds: 'every' }, (history) => found.push(history))
  const place = ({ account }: AccountHistory): number =>
    ACCOUNTS.findIndex(({ user, creditType }) => userIds[user] === account.userId && creditType === account.creditType)
  return found
    .map(({ grants, holds, schedules, ...rest }) => {
      const byAge = [...grants].sort((a, b) => a.seq - b.seq || byId(a, b))
      return { ...rest, grants: byAge, holds: [...holds].sort(byId), schedules: [...schedules].sort(byId) }
    })
    .sort((a, b) => place(a) - place(b))
}

/** Ids of the same kind are made one after the other. */
function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1
}

function sortedWithout(leaveOut: readonly string[]): (key: string, value: unknown) => unknown {
  return (_key, value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const kept = Object.entries(value).filter(([name]) => !leaveOut.includes(name))
    return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
