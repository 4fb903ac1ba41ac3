import { credits } from './credits'

/** What is for sale. Prices are in cents. */
const PACKAGES = [
  { key: 'starter', name: 'Starter', creditAmount: 100, price: 999, sortOrder: 1 },
  { key: 'growth', name: 'Growth', creditAmount: 500, price: 3999, sortOrder: 2 },
  { key: 'scale', name: 'Scale', creditAmount: 2000, price: 12900, sortOrder: 3 },
]

/** Make the database's catalogue say what this file says. Safe at every start: `key` finds the package again. */
export async function seedPackages(): Promise<void> {
  for (const pack of PACKAGES) {
    await credits.marketplace.upsertPackage({ ...pack, creditType: 'enrichment' })
  }
}
