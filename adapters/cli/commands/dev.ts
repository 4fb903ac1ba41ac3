import { type Command, InvalidArgumentError } from 'commander'
import { type Development, type DevOptions, startDevelopment } from '../dev/dev.js'
import { EXIT } from '../failure.js'
import type { Run } from '../program.js'

const DEFAULT_PORT = 3080

/** `dev`: everything around the service on this machine, to look at and to play with. */
export function registerDev(program: Command, run: Run): void {
  program
    .command('dev')
    .description('a local Stripe and the console, on your service or on sample data, for this machine alone')
    .option('--config <file>', 'the file that exports your CreditService as `credits`; default: as for `balance`')
    .option('--port <n>', 'of the console; 0: a free one', portNumber, DEFAULT_PORT)
    .option('--user <id>', 'who you are in the console, until you say otherwise')
    .option('--yes', 'also on a database that is not on this machine')
    .option('--debug', 'show the stack of a failure')
    .action(
      run(async (terminal, options: DevOptions) => {
        const development = await startDevelopment(terminal, options)
        if (development === null) return EXIT.problem
        const ended = interrupted()
        await terminal.out(welcome(development))
        await ended
        terminal.err('\n')
        await development.close()
        return EXIT.fine
      }),
    )
}

function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('must be a port, or 0 for a free one')
  return port
}

function welcome({ origin, stripeUrl, file, userId, isSelling }: Development): string {
  const service = file ?? 'sample data in memory, gone at the end (there is no credits.ts here)'
  return `A local Stripe and the console. No money moves, and only this machine gets here.

  Start here      ${origin}
  Customer        ${origin}/sign-in?user=${encodeURIComponent(userId)}
  Administrator   ${origin}/sign-in?admin=yes
  REST            ${origin}/api/credits/openapi.json
  Local Stripe    ${stripeUrl}
  Service         ${service}
${isSelling ? '' : `\nNothing is on sale yet: an administrator can add a package at ${origin}/credits/admin/packages\n`}
Ctrl-C ends it.
`
}

/** Ctrl-C, or being told to end. A second one ends the process at once, as ever. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
