import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { memoryStore } from '../../adapters/memory.js'
import { runCommand } from '../../adapters/cli/program.js'
import type { CreditStore } from '../../src/ports/store.js'

export interface Answer {
  code: number
  stdout: string
  stderr: string
}

/** A folder that is gone after the test. */
export function testFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'creditkit-cli-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const SERVICES = Symbol.for('creditkit-test-services')

/**
 * The command line in this process, in a folder of its own: `service` makes what the folder's credits.ts exports, anew for
 * each command, since a command closes what it used. `answers`: what a person would type; without it, nobody is there.
 */
export function commandLine(service?: () => unknown, cwd = testFolder()) {
  const services: Record<string, () => unknown> = {}
  Object.defineProperty(globalThis, SERVICES, { value: services, configurable: true, writable: true })
  const run = async (args: readonly string[], answers: string[] | null = null): Promise<Answer> => {
    const answer = { stdout: '', stderr: '' }
    if (service !== undefined) {
      // Under a new name each time: a module is loaded once.
      const name = randomUUID()
      services[name] = service
      const file = `const make: () => unknown = globalThis[Symbol.for('creditkit-test-services')]['${name}']\nexport const credits = make()\n`
      writeFileSync(join(cwd, `${name}.ts`), file)
      args = [...args, '--config', `${name}.ts`]
    }
    const code = await runCommand(args, {
      cwd,
      out: async (text) => {
        answer.stdout += text
      },
      err: (text) => {
        answer.stderr += text
      },
      isInteractive: answers !== null,
      isColourful: false,
      ask: async (question) => {
        answer.stderr += question
        return answers?.shift() ?? ''
      },
    })
    return { code, ...answer }
  }
  return {
    cwd,
    creditkit: (...args: string[]) => run(args),
    typing: (answers: string[], ...args: string[]) => run(args, answers),
  }
}

export function json({ stdout, stderr }: Answer): unknown {
  if (stdout === '') throw new Error(`the command printed nothing, but: ${stderr}`)
  return JSON.parse(stdout)
}

/** A memory store that outlives the services on it. */
export function lastingStore(): CreditStore {
  const store = memoryStore()
  store.close = async () => {}
  return store
}
