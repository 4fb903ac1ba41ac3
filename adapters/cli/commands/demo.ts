import type { Command } from 'commander'
import { EXIT } from '../failure.js'
import type { Run } from '../program.js'

/** `demo`: the whole life of some credits, told while it happens. */
export function registerDemo(program: Command, run: Run): void {
  program
    .command('demo')
    .description('credits sold, spent and given back, on this machine alone: no key, no account, no network')
    .option('--debug', 'show the stack of a failure')
    .action(
      run(async (terminal) => {
        const { runDemo } = await import('../demo/demo.js')
        await runDemo(terminal)
        return EXIT.fine
      }),
    )
}
