import type { Commands } from './commands.js'
import { newRowId } from './row-id.js'
import type { AccountKey } from './ledger/account.js'
import { auditAccount, type Violation } from './ledger/audit.js'
import { rebuildAccount } from './ledger/rebuild.js'
import type { CreditStore } from './ports/store.js'

/**
 * What `verify` found. Without `violations` every account agrees with its ledger; one with some can be put right by
 * `rebuild`, where its ledger itself is whole.
 */
export interface VerifyReport {
  /** Accounts looked at. */
  accounts: number
  violations: Violation[]
}

/** Check every sum rule of every account (or of one user's), on one snapshot. */
export async function verifyLedger(store: CreditStore, userId: string | null): Promise<VerifyReport> {
  const report: VerifyReport = { accounts: 0, violations: [] }
  await store.scanAccounts({ userId }, (history) => {
    report.accounts += 1
    report.violations.push(...auditAccount(history))
  })
  return report
}

/** Restore one account's row, grants and usage sums from its ledger, under its lock. An account that does not exist stays so. */
export async function rebuildFromLedger(store: CreditStore, commands: Commands, account: AccountKey): Promise<void> {
  const load = { grants: 'every', history: true } as const
  const command = { id: newRowId(), userId: account.userId, key: null, request: [], accounts: [account], load }
  await commands.run(
    store,
    command,
    ({ accounts: [state] }, now) => {
      if (state?.history == null) throw new Error('rebuild: the history was not loaded')
      const untouched = state.account.version === 0 && state.history.transactions.length === 0
      return {
        result: null,
        main: null,
        accounts: untouched ? [] : [rebuildAccount(state.history, now)],
      }
    },
    () => null,
  )
  await store.forgetUsageSums(account)
}
