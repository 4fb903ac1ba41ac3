#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander'
import { reportText } from './prove/report.js'

const program = new Command('creditkit').description('Prepaid credits inside your own database.')

program
  .command('prove')
  .description(
    'races, kills, lost answers and repeated webhooks on your own PostgreSQL, in a schema that is dropped again',
  )
  .option('--database <url>', 'where; default DATABASE_URL')
  .option('--seconds <n>', 'how long clients are killed and answers lost', positiveInteger, 30)
  .option('--json', 'the report as JSON')
  .action(async (options: { database?: string; seconds: number; json?: true }) => {
    const url = options.database ?? process.env.DATABASE_URL
    if (url === undefined || url === '') program.error('error: no database: pass --database or set DATABASE_URL')
    // Drivers are the host's: they are loaded where they are needed.
    const { prove } = await import('./prove/prove.js')
    const report = await prove({
      url: url ?? '',
      seconds: options.seconds,
      program: [process.argv[1] ?? '', 'prove-worker'],
      say: (line) => process.stderr.write(`${line}\n`),
    })
    process.stdout.write(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
    process.exitCode = report.holds ? 0 : 1
  })

// One of the clients of `prove`, which are killed.
program.command('prove-worker', { hidden: true }).action(async () => {
  const { work } = await import('./prove/worker.js')
  await work()
})

function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new InvalidArgumentError('must be a whole number above 0')
  return value
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(
    `creditkit: ${missingPackage(error) ?? (error instanceof Error ? error.message : String(error))}\n`,
  )
  process.exitCode = 1
})

/** What to install, where a driver is not there. */
function missingPackage(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') return null
  const [, name] = /Cannot find package '([^']+)'/.exec(error.message) ?? []
  return name === undefined ? null : `this needs ${name}: npm install ${name}`
}
