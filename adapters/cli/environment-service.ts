import { CreditService } from '../../src/credit-service.js'
import { openDefaultStore } from '../../src/defaults.js'
import type { PaymentProvider } from '../../src/ports/payments.js'
import type { CreditStore } from '../../src/ports/store.js'
import type { DrizzleExecutor } from '../postgres/databases/drizzle-executor.js'
import type { HostService } from './host-service.js'

/** Does the environment say where the credits are? */
export function namesStore({ DATABASE_URL, CREDITS_DATA_DIR }: NodeJS.ProcessEnv): boolean {
  return Boolean(DATABASE_URL) || Boolean(CREDITS_DATA_DIR)
}

/**
 * The service as the environment describes it, for those who have no file with one: the store that `DATABASE_URL` or
 * `CREDITS_DATA_DIR` names, with the credit types that have accounts there, and Stripe where `STRIPE_SECRET_KEY` is set.
 *
 * @throws {PaymentsNotConfiguredError} There is a key, and something else that Stripe needs is missing.
 */
export async function environmentService(environment: NodeJS.ProcessEnv): Promise<HostService> {
  const payments = environment['STRIPE_SECRET_KEY'] ? await stripe() : undefined
  const store = await openDefaultStore()
  try {
    const creditTypes = await typesInUse(store)
    return creditTypes.length === 0
      ? new CreditService<string>({ store, payments })
      : new CreditService({ creditTypes, store, payments })
  } catch (error) {
    await store.close()
    throw error
  }
}

async function stripe(): Promise<PaymentProvider> {
  // The package `stripe` is the host's: loaded where it is needed.
  const { stripePayments } = await import('../stripe/index.js')
  return stripePayments()
}

/** The credit types of all accounts; none where there are no tables yet. */
async function typesInUse(store: CreditStore): Promise<string[]> {
  const { drizzleExecutor } = await import('../postgres/databases/drizzle-executor.js')
  try {
    return await store.transaction(async (tx) => {
      // What the store opens is a Drizzle transaction.
      const sql = drizzleExecutor(tx as DrizzleExecutor)
      const [found] = await sql.query(`select to_regclass('creditkit.user_credits') is not null as is_there`, [])
      if (found?.['is_there'] !== true) return []
      const rows = await sql.query('select distinct credit_type from creditkit.user_credits order by credit_type', [])
      return rows.map((row) => String(row['credit_type']))
    })
  } catch {
    // A database that is away or refuses us says so again, and better, to the command that needs it.
    return []
  }
}
