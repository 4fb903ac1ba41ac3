import { type Command, InvalidArgumentError } from 'commander'

/** The options of every command that uses the host's service. */
export interface ServiceOptions {
  config?: string
  json?: true
}

/** A command that uses the host's own service. */
export function serviceCommand(program: Command, nameAndArguments: string): Command {
  return jsonCommand(program, nameAndArguments).option(
    '--config <file>',
    'the file that exports your CreditService as `credits`; default: creditkit.config.ts or credits.ts (also in src, ' +
      'lib, src/lib), else DATABASE_URL or CREDITS_DATA_DIR',
  )
}

export function jsonCommand(program: Command, nameAndArguments: string): Command {
  return program
    .command(nameAndArguments)
    .option('--json', 'the result as JSON')
    .option('--debug', 'show the stack of a failure')
}

export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new InvalidArgumentError('must be a whole number above 0')
  return value
}

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('must be a whole number')
  return value
}

/** A day (UTC), or a moment. */
export function moment(text: string): Date {
  const date = new Date(text)
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError('must be a day such as 2026-11-01 (UTC) or a moment such as 2026-11-01T12:00:00Z')
  return date
}
