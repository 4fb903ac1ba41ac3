import { expect, onTestFinished } from 'vitest'
import type { Check } from '../../adapters/cli/doctor/check.js'
import { commandLine, json } from './command-line.js'
import { inEnvironment } from './environment.js'

/** For `inEnvironment`: a machine on which nothing of ours is configured. */
export const NOTHING_SET = {
  ...{ DATABASE_URL: undefined, CREDITS_DATA_DIR: undefined, REDIS_URL: undefined, APP_URL: undefined },
  ...{ STRIPE_SECRET_KEY: undefined, STRIPE_WEBHOOK_SECRET: undefined, STRIPE_API_URL: undefined },
  STRIPE_PUBLISHABLE_KEY: undefined,
}

/** Set variables until the test ends. */
export function within(variables: Readonly<Record<string, string>>): void {
  onTestFinished(inEnvironment(variables))
}

type Report = { isWell: boolean; checks: Check[] }

/** What `doctor --json` found, by the name of the check. */
export async function examined(service: () => unknown): Promise<Record<string, Check>> {
  const answer = await commandLine(service).creditkit('doctor', '--json')
  const { isWell, checks } = json(answer) as Report
  expect([answer.code, isWell]).toEqual(checks.some(({ status }) => status === 'failed') ? [1, false] : [0, true])
  return Object.fromEntries(checks.map((check) => [check.name, check]))
}

/** For matchers: a text that has this in it. */
export function containing(text: string): string {
  return expect.stringContaining(text) as string
}
