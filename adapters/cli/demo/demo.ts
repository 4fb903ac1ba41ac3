import { deepEqual } from 'node:assert/strict'
import { styleText } from 'node:util'
import { type Cell, tableText } from '../output.js'
import type { Terminal } from '../terminal.js'
import { givingBack, selling, webhooks } from './money.js'
import { openShop, type Shop } from './shop.js'
import { balances, calls, ledger, spending } from './use.js'

/** What happened in one step: rows that were checked, and remarks. */
export interface Step {
  caption: string
  rows: readonly Readonly<Record<string, Cell>>[]
  notes?: readonly string[]
}

/**
 * The whole life of some credits, over HTTP, on this machine alone. Fails as soon as anything is not as expected.
 *
 * @throws {AssertionError} Something is not as expected.
 */
export async function runDemo({ out, isColourful }: Pick<Terminal, 'out' | 'isColourful'>): Promise<void> {
  const paint = (format: Parameters<typeof styleText>[0], text: string) =>
    isColourful ? styleText(format, text) : text
  await out('creditkit demo: credits sold, spent and given back. No key, no account, no network.\n')
  const shop = await openShop()
  try {
    await out(`Shop ${shop.origin}, local Stripe ${shop.stripe.url}, ${shop.storeName}.\n`)
    for (const [index, step] of STEPS.entries()) {
      const { caption, rows, notes = [] } = await step(shop)
      await out(`\n${paint('bold', `${index + 1}. ${caption}`)}\n${tableText(rows, isColourful)}`)
      for (const note of notes) await out(`  ${paint('dim', note)}\n`)
    }
    // Every sum recomputed from the ledger.
    deepEqual(await shop.credits.verify(), { accounts: 2, violations: [] })
    await out(`\n${paint(['green', 'bold'], 'verify: ok')}\n`)
  } finally {
    await shop.close()
  }
}

/** In this order: each goes on where the one before it has ended. */
const STEPS: readonly ((shop: Shop) => Promise<Step>)[] = [
  selling,
  webhooks,
  spending,
  givingBack,
  ledger,
  balances,
  calls,
]
