import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'

/** Somebody else's session that holds accounts' rows. */
export interface AccountLock {
  /** Resolves once so many other sessions wait for a lock. */
  awaited(sessions: number): Promise<void>
  /** How many of them wait now. */
  waiting(): Promise<number>
  /** Let go of the rows, without having changed them. */
  release(): Promise<void>
}

/** Lock a user's accounts as a host's own transaction may: `select … for update`. */
export async function lockAccounts(url: string, ...userIds: string[]): Promise<AccountLock> {
  const [holder, watcher] = [new Client({ connectionString: url }), new Client({ connectionString: url })]
  await Promise.all([holder.connect(), watcher.connect()])
  await holder.query('begin')
  await holder.query('select from creditkit.user_credits where user_id = any($1) order by user_id for update', [
    userIds,
  ])
  const waiting = async (): Promise<number> => {
    const { rows } = await watcher.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return rows[0]?.count ?? 0
  }
  return {
    waiting,
    awaited: async (sessions) => {
      while ((await waiting()) < sessions) await pause(5)
    },
    release: async () => {
      await holder.query('rollback')
      await Promise.all([holder.end(), watcher.end()])
    },
  }
}
