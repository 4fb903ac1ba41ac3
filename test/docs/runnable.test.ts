import { describe, expect, it } from 'vitest'
import { modulesOf, type Page, writtenPages } from './pages.js'
import { runModule } from './run-page.js'

/*
 * A block after <!-- runs --> is run, with those that continue it and those it imports: without network, on the stores it
 * makes itself. What it says of its results is compared with what they are:
 *
 *   await credits.getBalance('ada') // → 90
 *   const { balance } = await credits.checkBalance('ada', 'tokens', 100) // → { hasSufficient: false, …}
 *   console.log(balance, 'left') // → 90 left
 *   await credits.deductCredits({ … }) // → throws INSUFFICIENT_CREDITS
 *
 * Values are shown as by node:util; `…` stands for anything. Each of them must be reached, also those in callbacks.
 */

const entries = writtenPages().flatMap((page) => {
  const files = modulesOf(page)
  return files
    .filter(({ runs }) => runs)
    .map((entry) => ({ entry, files, name: `${entry.page}:${entry.lines[0] ?? 0}` }))
})

describe('code that the documentation shows with its results', () => {
  // Embedded databases and real Stripe calls take their time on a busy machine.
  it.each(entries)('$name has those results', { timeout: 120_000 }, async ({ entry, files }) => {
    expect(await runModule(entry, files)).toEqual([])
  })

  it('says at least one of them in each block', () => {
    expect(entries.length).toBeGreaterThan(0)
    expect(entries.filter(({ entry }) => !entry.code.includes('// →')).map(({ name }) => name)).toEqual([])
  })
})

describe('a page that says a wrong result', () => {
  const differencesOf = (...lines: string[]): Promise<string[]> => {
    const page: Page = { path: 'docs/wrong.md', text: ['<!-- runs -->', '```ts', ...lines, '```'].join('\n') }
    const files = modulesOf(page)
    return Promise.all(files.map((file) => runModule(file, files, 50))).then((found) => found.flat())
  }
  const service = [
    "import { CreditService } from 'creditkit'",
    "import { memoryStore } from 'creditkit/adapters/memory'",
    "const credits = new CreditService({ creditTypes: ['tokens'], store: memoryStore() })",
  ]

  it('is told with its line, what it says and what is so', async () => {
    const found = await differencesOf(
      ...service,
      "await credits.addCredits({ userId: 'ada', amount: 100, description: 'Gift' })",
      "await credits.getBalance('ada') // → 90",
      "console.log(await credits.getBalance('ada'), 'left') // → 100 left",
    )
    expect(found).toEqual(['docs/wrong.md:7: expected 90, got 100'])
  })

  it('is told of an error that is another one, or none', async () => {
    const found = await differencesOf(
      ...service,
      "await credits.deductCredits({ userId: 'bob', amount: 1, description: 'Use' }) // → throws INVALID_AMOUNT",
      "await credits.getBalance('bob') // → throws INVALID_INPUT",
    )
    expect(found).toEqual([
      'docs/wrong.md:6: expected throws INVALID_AMOUNT, got throws INSUFFICIENT_CREDITS',
      'docs/wrong.md:7: expected throws INVALID_INPUT, got no error',
    ])
  })

  it('is told of a block that fails', async () => {
    const found = await differencesOf('const answer = 1 // → 1', "throw new Error('no')")
    expect(found).toEqual([expect.stringMatching(/^docs\/wrong\.md:3: threw Error: no/)])
  })

  it('is told of a result that never comes', async () => {
    const found = await differencesOf('const never = () => {', '  console.log(1) // → 1', '}')
    expect(found).toEqual(['docs/wrong.md:4: expected 1, got nothing: it was never reached'])
  })
})
