import { isCreditError } from '../../src/errors.js'

/** How a command ends: all is well; it failed or found a problem; it was called wrongly. */
export const EXIT = { fine: 0, problem: 1, usage: 2 } as const

/** Called wrongly: nothing was tried. */
export class WrongUsage extends Error {}

/** A failure in words, and the exit code that goes with it. Never a stack, unless somebody debugs. */
export function explainFailure(error: unknown, isDebugging: boolean): { text: string; exitCode: number } {
  const exitCode = error instanceof WrongUsage ? EXIT.usage : EXIT.problem
  if (isDebugging && error instanceof Error)
    return { text: `${error.stack ?? error.message}${causes(error)}`, exitCode }
  const message = missingPackage(error) ?? (error instanceof Error ? error.message : String(error))
  return { text: isCreditError(error) ? `${error.code}: ${message}` : message, exitCode }
}

/** What to install, where a package of the host is not there. */
function missingPackage(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  if (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'MODULE_NOT_FOUND') return null
  const [, name] = /Cannot find (?:package|module) '((?:@[\w.-]+\/)?[\w-][\w.-]*)/.exec(error.message) ?? []
  return name === undefined ? null : `this needs ${name}: npm install ${name}`
}

function causes(error: Error): string {
  return error.cause instanceof Error
    ? `\ncaused by: ${error.cause.stack ?? error.cause.message}${causes(error.cause)}`
    : ''
}
