import type { Command } from 'commander'
import { loadEnvironment } from '../host-service.js'
import { reportText } from '../prove/report.js'
import { EXIT, WrongUsage } from '../failure.js'
import type { Run } from '../program.js'
import { jsonCommand, positiveInteger } from '../service-command.js'

/** `prove`, and the clients it kills. */
export function registerProve(program: Command, run: Run): void {
  const command = jsonCommand(program, 'prove')
  command
    .description(
      'races, kills, lost answers and repeated webhooks on your own PostgreSQL, in a schema that is dropped again',
    )
    .option('--database <url>', 'where; default DATABASE_URL')
    .option('--seconds <n>', 'how long clients are killed and answers lost', positiveInteger, 30)
    .action(
      run(async (terminal, options: { database?: string; seconds: number; json?: true }) => {
        loadEnvironment(terminal.cwd)
        const url = options.database ?? process.env.DATABASE_URL
        if (url === undefined || url === '') throw new WrongUsage('no database: pass --database or set DATABASE_URL')
        const { prove } = await import('../prove/prove.js')
        const report = await prove({
          url,
          seconds: options.seconds,
          program: [process.argv[1] ?? '', 'prove-worker'],
          say: (line) => terminal.err(`${line}\n`),
        })
        await terminal.out(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
        return report.holds ? EXIT.fine : EXIT.problem
      }),
    )

  program.command('prove-worker', { hidden: true }).action(
    run(async () => {
      const { work } = await import('../prove/worker.js')
      await work()
      return EXIT.fine
    }),
  )
}
