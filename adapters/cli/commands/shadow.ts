import type { Command } from 'commander'
import { EXIT, WrongUsage } from '../failure.js'
import { type ColumnRow, columnTotals, type HostColumn, inHostDatabase, sortedColumnRows } from '../host-column.js'
import { describeService, type HostService, withService } from '../host-service.js'
import { count, print, progress, tableText } from '../output.js'
import type { Run } from '../program.js'
import { serviceCommand, type ServiceOptions } from '../service-command.js'
import type { Terminal } from '../terminal.js'

interface Options extends ServiceOptions {
  table: string
  column: string
  id: string
  creditType?: string
}

interface Drift {
  userId: string
  /** What the column says; null: the user is not in the table, or it is empty. */
  column: string | null
  ours: number
}

interface Comparison {
  compared: number
  equal: number
  drifted: number
  /** The first of them. */
  drift: Drift[]
}

const MAX_LISTED = 1000
const MAX_SHOWN = 20
const PAGE = 200

/** `shadow`: does the host's own column say what we say? On one snapshot, so it may be written meanwhile. */
export function registerShadow(program: Command, run: Run): void {
  serviceCommand(program, 'shadow')
    .description('compare a credits column that is in use with our balances, before you switch; changes nothing')
    .requiredOption('--table <table>', 'a table of your database')
    .option('--column <column>', 'its column with the balance', 'credits')
    .option('--id <column>', 'its column with the user id', 'id')
    .option('--credit-type <type>', 'which of ours it is; needed when there are several')
    .action(
      run((terminal, options: Options) =>
        withService(terminal, options.config, async (credits) => {
          const creditType = await onlyType(credits, options.creditType)
          const found = await compareColumn(terminal, credits, options, creditType)
          const text = [
            `${count(found.compared, 'user')} compared, ${found.equal.toLocaleString('en-US')} equal, ${found.drifted.toLocaleString('en-US')} not.\n`,
            found.drifted === 0 ? `${options.table}.${options.column} and our ${creditType} balances agree.\n` : '',
            found.drifted > 0 ? tableText(found.drift.slice(0, MAX_SHOWN).map(driftRow), terminal.isColourful) : '',
            found.drifted > MAX_SHOWN ? '  … and more: --json lists the first thousand.\n' : '',
          ]
          await print(terminal, options.json, { creditType, ...found }, text.join(''))
          return found.drifted === 0 ? EXIT.fine : EXIT.problem
        }),
      ),
    )
}

function driftRow({ userId, column, ours }: Drift) {
  return { user: userId, column: column === null ? null : Number(column), ours, difference: ours - Number(column ?? 0) }
}

async function onlyType(credits: HostService, given: string | undefined): Promise<string> {
  const { creditTypes: known } = await describeService(credits)
  const [first = ''] = given === undefined ? known : known.filter((name) => name === given)
  if (first === '' || (given === undefined && known.length > 1))
    throw new WrongUsage(`--credit-type must be one of ${known.join(', ')}`)
  return first
}

function compareColumn(
  terminal: Terminal,
  credits: HostService,
  host: HostColumn,
  creditType: string,
): Promise<Comparison> {
  return inHostDatabase(credits, async (sql, inside) => {
    // Before the first statement that reads: all of them see one state, whatever is written meanwhile.
    await sql.query('set transaction isolation level repeatable read read only', [])
    const { rows: total } = await columnTotals(sql, host)
    const found: Comparison = { compared: 0, equal: 0, drifted: 0, drift: [] }
    const bar = progress(terminal)
    for await (const { userId, column, ours } of pairs(sortedColumnRows(sql, host), ourBalances(inside, creditType))) {
      found.compared += 1
      if (Number(column ?? 0) === ours) found.equal += 1
      else {
        found.drifted += 1
        if (found.drift.length < MAX_LISTED) found.drift.push({ userId, column, ours })
      }
      bar.show(found.compared, total, `comparing, ${found.drifted.toLocaleString('en-US')} differ`)
    }
    bar.end()
    return found
  })
}

interface OurBalance {
  userId: string
  balance: number
}

async function* ourBalances(credits: HostService, creditType: string): AsyncGenerator<OurBalance> {
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<HostService['findUsers']>> = await credits.findUsers({ limit: PAGE, cursor })
    for (const { userId, balances } of page.users) yield { userId, balance: balances[creditType] ?? 0 }
    cursor = page.nextCursor
  } while (cursor !== null)
}

/** Both lists are in the order of their ids' bytes: walk them side by side. */
async function* pairs(theirs: AsyncGenerator<ColumnRow>, ours: AsyncGenerator<OurBalance>): AsyncGenerator<Drift> {
  let their = await theirs.next()
  let our = await ours.next()
  while (their.done !== true || our.done !== true) {
    const order = their.done === true ? 1 : our.done === true ? -1 : byBytes(their.value.userId, our.value.userId)
    if (order <= 0 && their.done !== true) {
      const balance = order === 0 && our.done !== true ? our.value.balance : 0
      yield { userId: their.value.userId, column: their.value.value, ours: balance }
    } else if (our.done !== true) yield { userId: our.value.userId, column: null, ours: our.value.balance }
    if (order <= 0) their = await theirs.next()
    if (order >= 0) our = await ours.next()
  }
}

function byBytes(one: string, other: string): number {
  return one === other ? 0 : Buffer.compare(Buffer.from(one), Buffer.from(other))
}
