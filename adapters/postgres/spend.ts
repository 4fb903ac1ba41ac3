import { OutcomeUnknownError } from '../../src/errors.js'
import type { CompareRequest, SpendCommand, SpendOptions, SpendOutcome } from '../../src/ports/store.js'
import { isRefused } from './distribution.js'
import { selectKnownCommands } from './load-statement.js'
import { Engine } from './routing.js'
import { spendOneAnswer, spendOneStatement, spendOneValues } from './spend-one.js'
import { type JsonAnswer, type SentCall, spendStatement } from './spend-statement.js'
import type { SqlDatabase, SqlExecutor } from './sql-database.js'
import { toCreditError, translateSqlError } from './sql-errors.js'
import type { SqlTables } from './sql-tables.js'

/** How often one batch is tried, when it loses against others: a look after them finds what they wrote. */
const MAX_TRIES = 4

/** `CreditStore.spend` on Postgres: one statement, no transaction around it. */
export function fastPath(database: SqlDatabase, tables: SqlTables, distribution = new Engine(tables)) {
  /** What the first answer told of the database; until then, the usual. */
  let engine: Pick<JsonAnswer, 'isolation' | 'citus'> = { isolation: 'read committed', citus: false }

  const run = <T>(work: (sql: SqlExecutor) => Promise<T>): Promise<T> =>
    // By any stricter default of the host's, calls on one account would undo one another again and again.
    engine.isolation === 'read committed' ? work(database) : database.transaction(work)

  const ask = async (
    sql: SqlExecutor,
    commands: readonly SpendCommand[],
    { now, wait }: SpendOptions,
  ): Promise<JsonAnswer> => {
    const [only, second] = commands
    const keys = commands.some(({ key }) => key !== null)
    if (only !== undefined && second === undefined && wait && only.hold === null && only.alerts === null) {
      const [row] = await sql.query(spendOneStatement(tables, { keys }), spendOneValues(only, now))
      return spendOneAnswer(row, only)
    }
    const holds = commands.some(({ hold }) => hold !== null)
    const alerts = commands.some((command) => command.alerts !== null)
    const text = spendStatement(tables, { keys, holds, alerts, wait })
    const [row] = await sql.query(text, [JSON.stringify(commands.map(toSentCall)), now?.toISOString() ?? null])
    return JSON.parse(String(row?.row)) as JsonAnswer
  }

  return async (
    commands: readonly SpendCommand[],
    compare: CompareRequest,
    options: SpendOptions,
  ): Promise<SpendOutcome[]> => {
    // A statement that writes in CTEs is planned anew by each shard: the general path is faster there.
    if (engine.citus || distribution.isDistributed === true) return commands.map(() => ({ status: 'undecided' }))
    if (commands.length === 0) return []
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await run((sql) => ask(sql, commands, options))
        // In a transaction that we begin, there is nothing of the host's default to see.
        if (engine.isolation === 'read committed') engine = answer
        return await outcomesOf(database, tables, commands, answer, { compare, wait: options.wait })
      } catch (error) {
        // A database of several machines refuses the clock in a statement that writes, and locks on several of them.
        if (isRefused(error) && (await distribution.look(database).catch(() => false)))
          return commands.map(() => ({ status: 'undecided' }))
        const { kind, mayHaveApplied } = translateSqlError(error)
        if (mayHaveApplied) throw new OutcomeUnknownError('The answer was lost', { cause: error })
        // Not for an account, which would have been skipped: for a key, or a row of the host's, of one call among others.
        if (kind === 'busy' && !options.wait) return commands.map(() => ({ status: 'busy' }))
        if (kind !== 'unique' && kind !== 'retry') throw toCreditError(error)
        if (attempt === MAX_TRIES) return commands.map(() => ({ status: 'undecided' }))
      }
    }
  }
}

function toSentCall(command: SpendCommand, n: number): SentCall {
  const { hold } = command
  return {
    n,
    id: command.id,
    user_id: command.userId,
    credit_type: command.creditType,
    amount: command.amount,
    description: command.description,
    reference_id: command.referenceId,
    reference_type: command.referenceType,
    metadata: command.metadata,
    actor: command.actor,
    request: command.kept,
    idempotency_key: command.key,
    hold_seconds: hold?.seconds ?? null,
    kept_key: hold?.key ?? null,
    kept_request: hold === null ? null : Object.fromEntries(command.request),
    kept_result: hold?.result ?? null,
    alerts: command.alerts,
  }
}

/**
 * Every call's own outcome. What was asked with a key is refused only after a look that surely sees the key; without an
 * answer to that, it can't be told.
 */
async function outcomesOf(
  database: SqlDatabase,
  tables: SqlTables,
  commands: readonly SpendCommand[],
  { now, calls }: JsonAnswer,
  { compare, wait }: { compare: CompareRequest; wait: boolean },
): Promise<SpendOutcome[]> {
  const asked = commands.filter(({ key }, n) => key !== null && ['known', 'refused'].includes(calls[n]?.[0] ?? ''))
  const looking = asked.length === 0 ? Promise.resolve([]) : selectKnownCommands(database, tables, asked)
  // The others were written already.
  const found = await looking.catch(() => null)
  const known = new Map(asked.map(({ id }, index) => [id, found?.[index] ?? null]))
  const at = new Date(now)
  return commands.map((command, n): SpendOutcome => {
    const before = known.get(command.id) ?? null
    if (before !== null) {
      const field = compare(command.request, before)
      return field === null ? { status: 'replayed', ...before, accounts: [] } : { status: 'conflict', field }
    }
    const [outcome, seq, balanceAfter, grantId, version, available] = calls[n] ?? []
    if (outcome === 'applied') {
      if (seq == null || balanceAfter == null || grantId == null || version == null)
        throw new Error('spend: the statement applied a call and does not say how')
      return { status: 'applied', seq, balanceAfter, grantId, version, at }
    }
    // Of an account that does not exist, there is nothing.
    if (outcome === 'refused' && (found !== null || command.key === null))
      return { status: 'insufficient', available: available ?? 0 }
    // After a wait, there is nobody to wait for: the account was renamed meanwhile.
    return { status: outcome === 'busy' && !wait ? 'busy' : 'undecided' }
  })
}
