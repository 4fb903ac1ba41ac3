import type { Command } from 'commander'
import type { ReconcileReport } from '../../../src/reconciliation.js'
import { isConfirmed } from '../confirm.js'
import { EXIT, WrongUsage } from '../failure.js'
import { withService } from '../host-service.js'
import { count, print, progress, tableText } from '../output.js'
import type { Run } from '../program.js'
import { moment, serviceCommand, type ServiceOptions } from '../service-command.js'
import type { Terminal } from '../terminal.js'

interface ReconcileOptions extends ServiceOptions {
  from?: Date
  to?: Date
  repair?: true
  yes?: true
}

const DAY_MS = 86_400_000
const WRONG = 'wrong. Next: npx creditkit reconcile --repair'
const STILL_WRONG = 'still wrong: look at each in the Stripe Dashboard.'
/** As long as Stripe tries to deliver an event, and a day. */
const DEFAULT_DAYS = 4

/** What came of payments: `reconcile` compares, `fulfill` grants one by hand. */
export function registerPayments(program: Command, run: Run): void {
  serviceCommand(program, 'reconcile')
    .description('compare what Stripe has on record with the ledger; without --repair changes nothing')
    .option('--from <day>', `from this day or moment on (UTC); default ${DEFAULT_DAYS} days ago`, moment)
    .option('--to <day>', 'before this day or moment (UTC); default now', moment)
    .option('--repair', "put right what Stripe's word decides")
    .option('--yes', 'do not ask')
    .action(
      run((terminal, options: ReconcileOptions) =>
        withService(terminal, options.config, async (credits) => {
          const to = options.to ?? new Date()
          const from = options.from ?? new Date(to.getTime() - DEFAULT_DAYS * DAY_MS)
          if (from >= to) throw new WrongUsage('--from must be before --to')
          const apply = options.repair === true
          const plan = `This will repair what is wrong from ${from.toISOString()} to ${to.toISOString()}.`
          if (apply && !(await isConfirmed(terminal, plan, options.yes))) return EXIT.problem
          const bar = progress(terminal)
          const report = await credits.marketplace.reconcile({
            ...{ from, to, apply },
            onProgress: ({ pass, checked }) => bar.show(checked, null, `${checked.toLocaleString('en-US')} ${pass}`),
          })
          bar.end()
          await print(terminal, options.json, report, reconcileText(terminal, report, apply))
          return report.isClean ? EXIT.fine : EXIT.problem
        }),
      ),
    )

  serviceCommand(program, 'fulfill')
    .description('grant what a paid checkout session sold, as its webhook would have')
    .argument('<session>', 'cs_…')
    .option('--yes', 'do not ask')
    .action(
      run((terminal, sessionId: string, options: ServiceOptions & { yes?: true }) =>
        withService(terminal, options.config, async (credits) => {
          const plan = `This will grant what ${sessionId} sold, if it is paid; once, whoever else does it.`
          if (!(await isConfirmed(terminal, plan, options.yes))) return EXIT.problem
          const answer = await credits.marketplace.fulfillCheckoutSession({ sessionId })
          const { userId, creditAmount, creditType } = answer.metadata
          const text = answer.success
            ? `${userId} has the ${Number(creditAmount).toLocaleString('en-US')} ${creditType} credits.\n`
            : `Nothing is granted: the checkout is ${answer.status}.\n`
          await print(terminal, options.json, answer, text)
          return answer.success ? EXIT.fine : EXIT.problem
        }),
      ),
    )
}

function reconcileText(
  terminal: Terminal,
  { checked, findings, foreign, isClean }: ReconcileReport,
  apply: boolean,
): string {
  const looked = Object.entries(checked)
    .map(([what, number]) => count(number, what.replace(/s$/, ''), what))
    .join(', ')
  const rows = findings.map(({ kind, reference, userId, credits, repaired }) => ({
    kind,
    reference,
    user: userId,
    credits,
    repaired: repaired ? 'yes' : 'no',
  }))
  const open = findings.filter(({ repaired }) => !repaired).length
  return [
    `Looked at ${looked}${foreign.count > 0 ? `; ${count(foreign.count, 'payment')} of other apps` : ''}.\n`,
    rows.length === 0 ? '' : tableText(rows, terminal.isColourful),
    isClean
      ? rows.length === 0
        ? 'Stripe and the ledger agree.\n'
        : `${count(rows.length, 'thing')} put right: Stripe and the ledger agree now.\n`
      : `${count(open, 'thing')} ${apply ? STILL_WRONG : WRONG}\n`,
  ].join('')
}
