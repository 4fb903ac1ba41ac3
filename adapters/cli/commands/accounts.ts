import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { isCreditError } from '../../../src/errors.js'
import { isConfirmed } from '../confirm.js'
import { EXIT, WrongUsage } from '../failure.js'
import { type HostService, withService } from '../host-service.js'
import { count, print, tableText } from '../output.js'
import { positiveInteger, serviceCommand, type ServiceOptions, wholeNumber } from '../service-command.js'
import type { Run } from '../program.js'
import type { Terminal } from '../terminal.js'

/** One user's credits: `balance`, `history`, `adjust`. */
export function registerAccounts(program: Command, run: Run): void {
  serviceCommand(program, 'balance')
    .description("a user's credits of every type")
    .argument('<user>')
    .action(
      run(async (terminal, userId: string, options: ServiceOptions) => {
        const balances = await withService(terminal, options.config, (credits) => credits.getAllBalances(userId))
        const rows = Object.entries(balances).map(([type, balance]) => ({
          type,
          available: balance.balance,
          held: balance.held,
          owned: balance.owned,
          debt: balance.debt,
          purchased: balance.totalPurchased,
          used: balance.totalUsed,
          'next expiry': balance.nextExpiry,
        }))
        await print(terminal, options.json, { userId, balances }, tableText(rows, terminal.isColourful))
        return EXIT.fine
      }),
    )

  serviceCommand(program, 'history')
    .description("a user's ledger, newest first")
    .argument('<user>')
    .option('--credit-type <type>', 'of one credit type only')
    .option('--limit <n>', 'how many rows', positiveInteger, 20)
    .option('--cursor <cursor>', 'go on where another page ended')
    .action(run((terminal, userId: string, options: HistoryOptions) => history(terminal, userId, options)))

  serviceCommand(program, 'adjust')
    .description('give a user credits, or take some (a negative amount)')
    .argument('<user>')
    .argument('<amount>', 'credits', wholeNumber)
    .requiredOption('--reason <text>', 'stands in the ledger')
    .option('--credit-type <type>', 'needed when there are several')
    .option('--actor <who>', 'stands in the ledger', process.env.USER)
    .option('--key <key>', 'idempotency key: the same key is written once; default: a fresh one, which is printed')
    .option('--yes', 'do not ask')
    .action(
      run((terminal, userId: string, amount: number, options: AdjustOptions) =>
        adjust(terminal, { userId, amount }, options),
      ),
    )
}

interface HistoryOptions extends ServiceOptions {
  creditType?: string
  limit: number
  cursor?: string
}

/** The largest page a service gives. */
const PAGE = 200

async function history(terminal: Terminal, userId: string, options: HistoryOptions): Promise<number> {
  const { creditType, limit } = options
  const found = await withService(terminal, options.config, async (credits) => {
    const transactions = []
    let cursor: string | null = options.cursor ?? null
    do {
      const page = { userId, creditType, cursor, limit: Math.min(PAGE, limit - transactions.length) }
      const answer: Awaited<ReturnType<HostService['listTransactions']>> = await credits.listTransactions(page)
      transactions.push(...answer.transactions)
      cursor = answer.nextCursor
    } while (cursor !== null && transactions.length < limit)
    return { transactions, nextCursor: cursor }
  })
  const rows = found.transactions.map((row) => ({
    no: row.seq,
    time: row.createdAt,
    'credit type': row.creditType,
    type: row.transactionType,
    amount: row.amount,
    balance: row.balanceAfter,
    description: row.description,
    id: row.id,
  }))
  const more = found.nextCursor === null ? '' : `  There are more: --limit, or --cursor ${found.nextCursor}\n`
  const text = rows.length === 0 ? '  No transactions.\n' : tableText(rows, terminal.isColourful) + more
  await print(terminal, options.json, found, text)
  return EXIT.fine
}

interface AdjustOptions extends ServiceOptions {
  reason: string
  creditType?: string
  actor?: string
  key?: string
  yes?: true
}

async function adjust(
  terminal: Terminal,
  { userId, amount }: { userId: string; amount: number },
  options: AdjustOptions,
): Promise<number> {
  const { creditType, actor, reason } = options
  if (amount === 0) throw new WrongUsage('the amount must not be 0')
  const idempotencyKey = options.key ?? `cli:${randomUUID()}`
  const transaction = await withService(terminal, options.config, async (credits) => {
    const verb = amount > 0 ? 'give' : 'take'
    const what = count(Math.abs(amount), creditType === undefined ? 'credit' : `${creditType} credit`)
    const plan = `This will ${verb} ${what} ${amount > 0 ? 'to' : 'from'} ${userId}: "${reason}" (key ${idempotencyKey})`
    if (!(await isConfirmed(terminal, plan, options.yes))) return null
    try {
      return await credits.adjustCredits({ userId, amount, creditType, description: reason, actor, idempotencyKey })
    } catch (error) {
      if (isCreditError(error, 'OUTCOME_UNKNOWN'))
        terminal.err(`Whether it was written is not known: run it again with --key ${idempotencyKey}\n`)
      throw error
    }
  })
  if (transaction === null) return EXIT.problem
  const done = transaction.replayed ? 'was written before' : 'is written'
  const text = `The adjustment ${done}: ${transaction.id}. ${userId} now owns ${count(transaction.balanceAfter, 'credit')}.\n`
  await print(terminal, options.json, transaction, text)
  return EXIT.fine
}
