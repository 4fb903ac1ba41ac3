import pg from 'pg'
import { postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { RACE_OPTIONS, type RaceCall, type RaceJob, type RaceOutcome, type Safeguard } from './racers.js'

/*
 * One of the processes that race: several clients on a pool of their own. Warms its connections, then waits for the
 * whistle, so that the calls of all processes overlap.
 */
let service: { job: string; credits: CreditService; pool: pg.Pool } | undefined

process.on('message', (message: { prepare: RaceJob } | { go: RaceCall[] }) => {
  const work = 'prepare' in message ? prepare(message.prepare) : runAll(message.go)
  work.then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
process.send?.('started')

async function prepare(wanted: RaceJob): Promise<'ready'> {
  const { url, clients, without, fastPath, batching } = wanted
  const job = JSON.stringify(wanted)
  if (service?.job !== job) {
    await service?.pool.end()
    const pool = new pg.Pool({ connectionString: url, max: clients })
    const store = postgresStore(without === null ? pool : withoutSafeguard(pool, without), { fastPath })
    service = { job, pool, credits: new CreditService({ ...RACE_OPTIONS, store, cache: null, batching }) }
  }
  const { pool } = service
  await Promise.all(Array.from({ length: clients }, () => pool.query('select pg_sleep(0.01)')))
  return 'ready'
}

async function runAll(calls: RaceCall[]): Promise<RaceOutcome[]> {
  if (service === undefined) throw new Error('race-worker: prepare comes first')
  const { credits } = service
  return Promise.all(calls.map((call) => runOne(credits, call)))
}

async function runOne(credits: CreditService, call: RaceCall): Promise<RaceOutcome> {
  try {
    return { ok: true, ...(await perform(credits, call)) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return { ok: false, code }
  }
}

const CALL = { creditType: 'calling', description: 'Race' } as const

async function perform(credits: CreditService, call: RaceCall): Promise<{ id: string; replayed: boolean }> {
  switch (call.operation) {
    case 'add':
      return shown(await credits.addCredits({ ...call.input, ...CALL }))
    case 'deduct':
      return shown(await credits.deductCredits({ ...call.input, ...CALL }))
    case 'refund':
      return shown(await credits.refundCredits(call.input))
    case 'hold':
      return shown(await credits.holdCredits({ ...call.input, ...CALL }))
    case 'capture':
      return shown(await credits.captureHold(call.input))
    case 'release':
      return shown(await credits.releaseHold(call.input))
    case 'transfer':
      return shown((await credits.transferCredits({ ...call.input, ...CALL })).from)
    case 'deductMany': {
      const [first] = await credits.deductMany(call.input.map((item) => ({ ...item, ...CALL })))
      return shown(first ?? { id: '', replayed: false })
    }
    case 'runDue': {
      const { accounts, failed } = await credits.runDue(call.input)
      if (failed > 0) throw new Error(`runDue could not reach ${failed} accounts`)
      return { id: String(accounts), replayed: false }
    }
  }
}

function shown({ id, replayed }: { id: string; replayed: boolean }): { id: string; replayed: boolean } {
  return { id, replayed }
}

/** What is taken out, and what stands in its place. */
const REPLACEMENTS: Record<Safeguard, [pattern: RegExp, replacement: string]> = {
  'locks of the general path': [/ for update( of \w+)?/gi, ''],
  'locks of the fast path': [/ for no key update of a( skip locked)?/gi, ''],
  'key versions': [/a\.key_version <= (a\.seen_version|\(select [^()]*\))|a\.version = a\.seen_version/gi, 'true'],
}

/** The negative control: a pool whose statements have lost a safeguard, and are the same otherwise. */
function withoutSafeguard(pool: pg.Pool, without: Safeguard): pg.Pool {
  const [pattern, replacement] = REPLACEMENTS[without]
  const clients = new WeakMap<pg.PoolClient, pg.PoolClient>()
  return replacing(pool, 'connect', async () => {
    const client = await pool.connect()
    const query = ({ text, name: _name, ...rest }: pg.QueryConfig) =>
      client.query({ ...rest, text: text.replace(pattern, replacement) })
    const careless = clients.get(client) ?? replacing(client, 'query', query)
    clients.set(client, careless)
    return careless
  })
}

/** The same object with one method of its own. */
function replacing<T extends object>(object: T, method: keyof T, replacement: unknown): T {
  return new Proxy(object, {
    get: (target, property) => {
      if (property === method) return replacement
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
