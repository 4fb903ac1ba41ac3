import { WrongUsage } from './failure.js'
import type { Terminal } from './terminal.js'

/**
 * Say what is about to happen, and let a person agree. False: they did not, and nothing may happen.
 *
 * @throws {WrongUsage} Nobody is there to ask, and `--yes` was not given.
 */
export async function isConfirmed(terminal: Terminal, plan: string, yes: boolean | undefined): Promise<boolean> {
  terminal.err(`${plan}\n`)
  if (yes === true) return true
  if (!terminal.isInteractive) throw new WrongUsage('nothing was done: nobody is there to confirm it; pass --yes')
  const answer = await terminal.ask('Do it? [y/N] ')
  if (/^y(es)?$/i.test(answer.trim())) return true
  terminal.err('Nothing was done.\n')
  return false
}
