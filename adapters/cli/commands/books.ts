import type { Command } from 'commander'
import { isConfirmed } from '../confirm.js'
import { EXIT } from '../failure.js'
import { withService } from '../host-service.js'
import { count, print, progress, tableText } from '../output.js'
import type { Run } from '../program.js'
import { serviceCommand, type ServiceOptions } from '../service-command.js'

/** Do the books add up? `verify` looks, `rebuild` puts a balance right from the ledger. */
export function registerBooks(program: Command, run: Run): void {
  serviceCommand(program, 'verify')
    .description('check every sum of every account against the ledger; changes nothing')
    .option('--user <user>', 'one user only')
    .action(
      run(async (terminal, options: ServiceOptions & { user?: string }) => {
        const { user: userId } = options
        const bar = progress(terminal)
        bar.show(0, null, 'adding up every account')
        const report = await withService(terminal, options.config, (credits) => credits.verify({ userId })).finally(
          () => bar.end(),
        )
        const { accounts, violations } = report
        const rows = violations.map(({ userId, creditType, rule, message }) => ({ userId, creditType, rule, message }))
        const looked = `${count(accounts, 'account')} checked: `
        const text =
          violations.length === 0
            ? `${looked}the books add up.\n`
            : `${looked}${count(violations.length, 'rule')} broken.\n${tableText(rows, terminal.isColourful)}Next: npx creditkit rebuild <user> --credit-type <type>\n`
        await print(terminal, options.json, report, text)
        return violations.length === 0 ? EXIT.fine : EXIT.problem
      }),
    )

  serviceCommand(program, 'rebuild')
    .description("restore an account's balance and grants from its ledger")
    .argument('<user>')
    .option('--credit-type <type>', 'needed when there are several')
    .option('--yes', 'do not ask')
    .action(
      run((terminal, userId: string, options: ServiceOptions & { creditType?: string; yes?: true }) =>
        withService(terminal, options.config, async (credits) => {
          const { creditType } = options
          const { violations } = await credits.verify({ userId })
          const broken = violations.filter((found) => creditType === undefined || found.creditType === creditType)
          for (const { rule, message } of broken) terminal.err(`  ${rule}: ${message}\n`)
          const plan = `This will restore ${userId}'s ${creditType ?? ''} account from its ledger (${count(broken.length, 'rule')} broken now).`
          if (!(await isConfirmed(terminal, plan.replace('  ', ' '), options.yes))) return EXIT.problem
          const balance = await credits.rebuild({ userId, creditType })
          const after = await credits.verify({ userId })
          const left = after.violations.filter((found) => creditType === undefined || found.creditType === creditType)
          const text =
            `Restored: ${count(balance.balance, 'credit')} available. ` +
            (left.length === 0 ? 'The books add up.\n' : `${count(left.length, 'rule')} still broken.\n`)
          await print(terminal, options.json, { userId, creditType, balance, violations: left }, text)
          return left.length === 0 ? EXIT.fine : EXIT.problem
        }),
      ),
    )
}
