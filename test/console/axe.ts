import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What axe-core finds on a page. The page's policy allows no script of its own; a tool's is evaluated past it, in the page.
 */
export async function violationsOf(page: Page): Promise<AxeResults['violations']> {
  await page.evaluate(source)
  const results = await page.evaluate('axe.run()')
  // The result of axe's own `run`.
  const { passes, violations } = results as AxeResults
  if (passes.length < 10) throw new Error('violationsOf: axe looked at nothing')
  return violations
}
