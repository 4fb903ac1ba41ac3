import { Command, CommanderError, Help, type Option } from 'commander'
import { registerAccounts } from './commands/accounts.js'
import { registerBooks } from './commands/books.js'
import { registerDemo } from './commands/demo.js'
import { registerDev } from './commands/dev.js'
import { registerDoctor } from './commands/doctor.js'
import { registerExport } from './commands/export.js'
import { registerGenerate } from './commands/generate.js'
import { registerImport } from './commands/import.js'
import { registerInit } from './commands/init.js'
import { registerMigrate } from './commands/migrate.js'
import { registerPayments } from './commands/payments.js'
import { registerProve } from './commands/prove.js'
import { registerShadow } from './commands/shadow.js'
import { EXIT, explainFailure } from './failure.js'
import type { Terminal } from './terminal.js'
import { packageVersion } from './version.js'

/** What a command does, as commander wants it: with the terminal first, and an exit code as its result. */
export type Run = <A extends unknown[]>(
  action: (terminal: Terminal, ...args: A) => Promise<number>,
) => (...args: A) => Promise<void>

/** Run one command line, without the program's name. Returns the exit code; never throws. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.fine
  const run: Run =
    (action) =>
    async (...given) => {
      exitCode = await action(terminal, ...given)
    }
  const program = new Command('creditkit')
    .description('Prepaid credits inside your own database.')
    .version(packageVersion(), '-v, --version', 'the version of creditkit')
    .configureHelp({ visibleOptions: ownOptionsFirst })
    .addHelpText('after', EXIT_HELP)
    .configureOutput({ writeOut: (text) => void terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
  program.commandsGroup('Begin:')
  registerInit(program, run)
  registerDev(program, run)
  registerDemo(program, run)
  program.commandsGroup('Users:')
  registerAccounts(program, run)
  program.commandsGroup('Tables:')
  registerMigrate(program, run)
  registerGenerate(program, run)
  program.commandsGroup('Checks and repairs:')
  registerDoctor(program, run)
  registerBooks(program, run)
  registerPayments(program, run)
  registerProve(program, run)
  program.commandsGroup('In and out:')
  registerImport(program, run)
  registerShadow(program, run)
  registerExport(program, run)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    // Commander has said what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.usage
    const { text, exitCode: code } = explainFailure(error, args.includes('--debug'))
    terminal.err(`creditkit: ${text}\n`)
    return code
  }
}

const EXIT_HELP = `
Exit codes: 0 all is well, 1 it failed or found a problem, 2 it was called wrongly and did nothing.
creditkit <command> --help tells more.`

/** What every command has comes last. */
const EVERYWHERE = ['--config', '--json', '--debug', '--help']

function ownOptionsFirst(command: Command): Option[] {
  const options = Help.prototype.visibleOptions.call(new Help(), command)
  const rank = ({ long }: Option) => EVERYWHERE.indexOf(long ?? '')
  return [...options].sort((one, other) => rank(one) - rank(other))
}
