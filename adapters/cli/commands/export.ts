import { type Command, Option } from 'commander'
import type { CreditTransaction } from '../../../src/credit-transaction.js'
import { csvLine } from '../../console/csv.js'
import { idToCsv } from '../csv-ids.js'
import { EXIT } from '../failure.js'
import { type HostService, withService } from '../host-service.js'
import { progress } from '../output.js'
import type { Run } from '../program.js'
import { moment, serviceCommand, type ServiceOptions } from '../service-command.js'
import type { Terminal } from '../terminal.js'

interface Options extends ServiceOptions {
  user?: string
  creditType?: string
  format: 'csv' | 'jsonl'
  from?: Date
  to?: Date
}

const PAGE = 200

/** `export`: ledgers and balances to stdout, page by page, so any number of them fits. */
export function registerExport(program: Command, run: Run): void {
  const add = (name: string, description: string) =>
    serviceCommand(exporting, name)
      .description(description)
      .option('--user <user>', 'one user only')
      .option('--credit-type <type>', 'one credit type only')
      .addOption(
        new Option('--format <format>', 'JSON lines are exact; CSV is also safe to open in a spreadsheet')
          .choices(['csv', 'jsonl'])
          .default('csv'),
      )
  const exporting = program.command('export').description('ledgers or balances as CSV or JSON lines, to stdout')

  add('balances', 'what is available to each user; as `import` reads it').action(
    run((terminal, options: Options) =>
      withService(terminal, options.config, async (credits) => {
        const write = writer(terminal, options)
        await write.head(['user_id', 'credit_type', 'balance'])
        for await (const { userId, balances } of users(credits, options.user))
          for (const [creditType, balance] of Object.entries(balances))
            if (options.creditType === undefined || options.creditType === creditType)
              await write.row([idToCsv(userId), creditType, balance], { userId, creditType, balance })
        write.end()
        return EXIT.fine
      }),
    ),
  )

  add('ledger', 'every transaction, user by user, newest first')
    .option('--from <day>', 'from this day or moment on (UTC)', moment)
    .option('--to <day>', 'before this day or moment (UTC)', moment)
    .action(
      run((terminal, options: Options) =>
        withService(terminal, options.config, async (credits) => {
          const write = writer(terminal, options)
          await write.head(LEDGER_COLUMNS.map(([name]) => name))
          for await (const { userId } of users(credits, options.user))
            for await (const row of ledgerOf(credits, userId, options))
              await write.row(
                LEDGER_COLUMNS.map(([, cell]) => cell(row)),
                row,
              )
          write.end()
          return EXIT.fine
        }),
      ),
    )
}

const LEDGER_COLUMNS: readonly [name: string, cell: (row: CreditTransaction) => string | number | Date | null][] = [
  ['id', ({ id }) => id],
  ['user_id', ({ userId }) => userId],
  ['credit_type', ({ creditType }) => creditType],
  ['seq', ({ seq }) => seq],
  ['transaction_type', ({ transactionType }) => transactionType],
  ['amount', ({ amount }) => amount],
  ['balance_after', ({ balanceAfter }) => balanceAfter],
  ['description', ({ description }) => description],
  ['reference_id', ({ referenceId }) => referenceId],
  ['reference_type', ({ referenceType }) => referenceType],
  ['idempotency_key', ({ idempotencyKey }) => idempotencyKey],
  ['related_transaction_id', ({ relatedTransactionId }) => relatedTransactionId],
  ['actor', ({ actor }) => actor],
  ['metadata', ({ metadata }) => (metadata === null ? null : JSON.stringify(metadata))],
  ['created_at', ({ createdAt }) => createdAt],
]

/** Lines in the format that was asked for. `--json` asks for JSON lines, too. */
function writer(terminal: Terminal, { format, json }: Options) {
  const isCsv = format === 'csv' && json !== true
  const bar = progress(terminal)
  let rows = 0
  return {
    head: async (names: readonly string[]) => {
      if (isCsv) await terminal.out(csvLine(names))
    },
    row: async (cells: Parameters<typeof csvLine>[0], object: object) => {
      await terminal.out(isCsv ? csvLine(cells) : `${JSON.stringify(object)}\n`)
      rows += 1
      // Where the rows themselves are looked at, they are what goes on.
      if (!terminal.isColourful) bar.show(rows, null, `${rows.toLocaleString('en-US')} rows`)
    },
    end: () => bar.end(),
  }
}

type Users = Awaited<ReturnType<HostService['findUsers']>>

async function* users(credits: HostService, userId: string | undefined): AsyncGenerator<Users['users'][number]> {
  if (userId !== undefined) {
    const balances = Object.entries(await credits.getAllBalances(userId)).map(([type, { balance }]) => [type, balance])
    // As `fromEntries` types what it makes of two kinds of things.
    yield { userId, balances: Object.fromEntries(balances) as Record<string, number> }
    return
  }
  let cursor: string | null = null
  do {
    const page: Users = await credits.findUsers({ limit: PAGE, cursor })
    yield* page.users
    cursor = page.nextCursor
  } while (cursor !== null)
}

async function* ledgerOf(
  credits: HostService,
  userId: string,
  { creditType, from, to }: Options,
): AsyncGenerator<CreditTransaction> {
  let cursor: string | null = null
  do {
    const query = { userId, creditType, from, to, cursor, limit: PAGE }
    const page: Awaited<ReturnType<HostService['listTransactions']>> = await credits.listTransactions(query)
    yield* page.transactions
    cursor = page.nextCursor
  } while (cursor !== null)
}
