import { styleText } from 'node:util'
import type { Command } from 'commander'
import { type Check, skipped } from '../doctor/check.js'
import { EXIT } from '../failure.js'
import type { HostService } from '../host-service.js'
import { count, print } from '../output.js'
import type { Run } from '../program.js'
import { serviceCommand, type ServiceOptions } from '../service-command.js'
import type { Terminal } from '../terminal.js'

const MARKS = { ok: '✓', warning: '!', failed: '✗', skipped: '–' } as const
const COLOURS = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const

/** `doctor`: is everything around the service as it must be? Changes nothing. */
export function registerDoctor(program: Command, run: Run): void {
  serviceCommand(program, 'doctor')
    .description('look at the database, its tables and clock, Redis, the Stripe key, the webhook and its events')
    .action(
      run(async (terminal, options: ServiceOptions) => {
        const checks = await examine(terminal, options.config)
        const isWell = checks.every(({ status }) => status !== 'failed')
        await print(terminal, options.json, { isWell, checks }, reportText(terminal, checks))
        return isWell ? EXIT.fine : EXIT.problem
      }),
    )
}

async function examine(terminal: Terminal, config: string | undefined): Promise<Check[]> {
  const { checkService } = await import('../doctor/service.js')
  const { checkRedis } = await import('../doctor/redis.js')
  const { credits, check } = await checkService(terminal, config)
  try {
    return [
      check,
      ...(await examineService(credits)),
      await checkRedis(process.env.REDIS_URL),
      ...(credits === null ? [] : await (await import('../doctor/payments.js')).checkPayments(credits, process.env)),
    ]
  } finally {
    await credits?.close()
  }
}

async function examineService(credits: HostService | null): Promise<Check[]> {
  if (credits === null) return [{ name: 'database', ...skipped('there is no service to ask') }]
  const { checkDatabase } = await import('../doctor/database.js')
  return checkDatabase(credits, process.env)
}

function reportText(terminal: Terminal, checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const paint = (status: Check['status'], text: string) =>
    terminal.isColourful ? styleText(COLOURS[status], text) : text
  const lines = checks.map(({ name, status, message, next }) => {
    const line = `  ${paint(status, MARKS[status])} ${name.padEnd(width)}  ${message}\n`
    return next === null ? line : `${line}    ${' '.repeat(width)}  → ${next}\n`
  })
  return `${lines.join('')}${verdict(checks)}\n`
}

function verdict(checks: readonly Check[]): string {
  const of = (status: Check['status']) => checks.filter((check) => check.status === status).length
  if (of('failed') > 0) return `${count(of('failed'), 'check')} failed.`
  return of('warning') > 0 ? `It works; look at ${count(of('warning'), 'warning')}.` : 'All is well.'
}
