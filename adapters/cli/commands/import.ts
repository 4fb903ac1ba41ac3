import { basename, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { GRANT_SOURCES, type GrantSource } from '../../../src/ledger/grant.js'
import { isConfirmed } from '../confirm.js'
import { EXIT, WrongUsage } from '../failure.js'
import { grantAll, MAX_LISTED } from '../granting.js'
import { columnRows, columnTotals, inHostDatabase } from '../host-column.js'
import { describeService, type HostService, withService } from '../host-service.js'
import { csvSource, type RefusedRow, RowCheck, sizeOf, type SourceRow } from '../opening-balances.js'
import { count, print, progress, tableText } from '../output.js'
import type { Run } from '../program.js'
import { serviceCommand, type ServiceOptions } from '../service-command.js'
import type { Terminal } from '../terminal.js'

interface Options extends ServiceOptions {
  table?: string
  column: string
  id: string
  creditType?: string
  name?: string
  source: GrantSource
  apply?: true
  skipRefused?: true
  yes?: true
}

/** `import`: opening balances, from a file or from a column of the host's. */
export function registerImport(program: Command, run: Run): void {
  serviceCommand(program, 'import')
    .description(
      'opening balances from a CSV file or from a column you have; without --apply only says what it would do',
    )
    .argument('[file]', 'CSV with the columns user_id, credit_type, balance')
    .option('--table <table>', 'read a table of your database instead of a file')
    .option('--column <column>', 'its column with the balance', 'credits')
    .option('--id <column>', 'its column with the user id', 'id')
    .option('--credit-type <type>', 'of a table, or of a file without that column')
    .option(
      '--name <name>',
      'of this import: each user is granted once under it; default: the name of the file or column',
    )
    .option('--source <source>', `where the credits come from: ${GRANT_SOURCES.join(', ')}`, grantSource, 'adjustment')
    .option('--apply', 'grant them; can be repeated and resumed')
    .option('--skip-refused', 'with --apply: leave rows out that are refused, instead of granting nothing')
    .option('--yes', 'do not ask')
    .action(
      run((terminal, file: string | undefined, options: Options) =>
        withService(terminal, options.config, (credits) => importBalances(terminal, credits, file, options)),
      ),
    )
}

function grantSource(text: string): GrantSource {
  const source = GRANT_SOURCES.find((known) => known === text)
  if (source === undefined) throw new InvalidArgumentError(`must be one of ${GRANT_SOURCES.join(', ')}`)
  return source
}

/** Where rows come from; can be read more than once. */
interface Source {
  name: string
  /** In the unit of `SourceRow.done`. */
  total: number
  rows(): AsyncIterable<SourceRow>
  /** What the source itself adds up to, where it can tell. */
  sum: string | null
}

interface Summary {
  name: string
  /** Rows with something to grant, and the credits in them. */
  rows: number
  credits: number
  /** Empty accounts. */
  empty: number
  refused: number
  /** The first of them. */
  refusedRows: RefusedRow[]
}

const MAX_SHOWN = 20
const PUT_RIGHT = 'put the refused rows right, or leave them out with --skip-refused'

async function importBalances(
  terminal: Terminal,
  credits: HostService,
  file: string | undefined,
  options: Options,
): Promise<number> {
  const about = await describeService(credits)
  const source = await openSource(terminal, credits, file, options)
  const name = options.name ?? source.name
  const key = (creditType: string) => `import:${name}:${creditType}`
  const newCheck = () => new RowCheck(about, key)
  const summary = await look(terminal, source, name, newCheck())
  const say = (json: object, text: string) => print(terminal, options.json, { ...summary, ...json }, text)
  const found = summaryText(terminal, summary)
  const isBlocked = summary.refused > 0 && options.skipRefused !== true
  if (source.sum !== null && !isBlocked && summary.refused === 0 && source.sum !== String(summary.credits))
    throw new Error(
      `the rows add up to ${summary.credits}, the column to ${source.sum}: it is being written; try again`,
    )

  if (options.apply !== true) {
    const next = isBlocked ? PUT_RIGHT : 'add --apply to grant'
    await say({ applied: false }, `${found}Nothing was granted: ${next}.\n`)
    return summary.refused === 0 ? EXIT.fine : EXIT.problem
  }
  if (isBlocked) {
    await say({ applied: false }, `${found}Nothing was granted: ${PUT_RIGHT}.\n`)
    return EXIT.problem
  }
  const plan = `${found}This will grant ${count(summary.credits, 'credit')} to ${count(summary.rows, 'account')}, once, under the name ${name}.`
  if (!(await isConfirmed(terminal, plan, options.yes))) return EXIT.problem

  const result = await grantAll(terminal, credits, source.rows(), newCheck(), {
    key,
    total: summary.rows,
    description: `Opening balance (${name})`,
    source: options.source,
  })
  const difference = result.inLedger - summary.credits
  const text = [
    `Granted ${count(result.granted, 'account')} now; ${count(result.before, 'account')} had been granted before.\n`,
    result.failed > 0 ? `${count(result.failed, 'row')} failed:\n${refusedText(terminal, result.failedRows)}` : '',
    `In the source: ${count(summary.credits, 'credit')}. In the ledger: ${count(result.inLedger, 'credit')}. `,
    difference === 0 ? 'They agree to the credit.\n' : `They differ by ${difference.toLocaleString('en-US')}.\n`,
  ]
  await say({ applied: true, ...result, difference }, text.join(''))
  return difference === 0 && result.failed === 0 ? EXIT.fine : EXIT.problem
}

async function openSource(
  { cwd }: Terminal,
  credits: HostService,
  file: string | undefined,
  { table, column, id, creditType }: Options,
): Promise<Source> {
  if ((file === undefined) === (table === undefined)) throw new WrongUsage('name a CSV file, or a --table: one of them')
  if (file !== undefined) {
    const path = resolve(cwd, file)
    return { name: basename(path), total: sizeOf(path), sum: null, rows: () => csvSource(path, creditType) }
  }
  if (creditType === undefined) throw new WrongUsage('which credits does the column hold? Pass --credit-type')
  const host = { table: table ?? '', column, id }
  const { rows: total, sum, idType } = await inHostDatabase(credits, (sql) => columnTotals(sql, host))
  const rows = async function* (): AsyncGenerator<SourceRow> {
    let done = 0
    for await (const { userId, value } of columnRows(credits, host, idType))
      yield { place: `${id} ${userId}`, userId, creditType, value: value ?? '0', problem: null, done: (done += 1) }
  }
  // Of decimals that are whole the zeros do not count.
  return { name: `${host.table}.${column}`, total, sum: sum.replace(/\.0*$/, ''), rows }
}

/** The dry run. */
async function look(terminal: Terminal, source: Source, name: string, check: RowCheck): Promise<Summary> {
  const summary: Summary = { name, rows: 0, credits: 0, empty: 0, refused: 0, refusedRows: [] }
  const bar = progress(terminal)
  for await (const row of source.rows()) {
    bar.show(row.done, source.total, `looking, ${summary.rows.toLocaleString('en-US')} rows`)
    const checked = check.check(row)
    if (checked === null) summary.empty += 1
    else if ('reason' in checked) {
      summary.refused += 1
      if (summary.refusedRows.length < MAX_LISTED) summary.refusedRows.push(checked)
    } else {
      summary.rows += 1
      summary.credits += checked.amount
      if (!Number.isSafeInteger(summary.credits))
        throw new Error('the balances add up to more than can be counted exactly')
    }
  }
  bar.end()
  return summary
}

function summaryText(terminal: Terminal, { rows, credits, empty, refused, refusedRows }: Summary): string {
  const nothing = empty === 0 ? '' : `, ${count(empty, 'empty account')} left out`
  const head = `${count(rows, 'account')} with ${count(credits, 'credit')}${nothing}, ${count(refused, 'row')} refused.\n`
  return head + (refused === 0 ? '' : refusedText(terminal, refusedRows))
}

function refusedText(terminal: Terminal, rows: readonly RefusedRow[]): string {
  const shown = rows.slice(0, MAX_SHOWN).map(({ place, userId, reason }) => ({ place, user: userId, reason }))
  const more = rows.length > MAX_SHOWN ? '  … and more: --json lists the first thousand.\n' : ''
  return tableText(shown, terminal.isColourful) + more
}
