import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { CreditService } from '../../../src/credit-service.js'
import type { CreditTransaction } from '../../../src/credit-transaction.js'
import { migrate, postgresStore } from '../../postgres/index.js'
import { memoryPayments } from '../../testing/memory-payments/memory-payments.js'
import { Clients } from './clients.js'
import { Journal } from './journal.js'
import { startLosingProxy } from './losing-proxy.js'
import type { ProofReport } from './report.js'
import { CREDIT_TYPE } from './worker.js'

export interface ProveOptions {
  url: string
  /** How long clients are killed and answers are lost. */
  seconds: number
  /** A script and its arguments that run `work`: the clients. */
  program: readonly string[]
  /** Told how it goes. */
  say: (line: string) => void
}

const PROCESSES = 4
const CALLERS = 8
/** One race for so many seconds of the rest, eight at most. */
const SECONDS_PER_RACE = 4
const MAX_RACES = 8
const RACE_CREDITS = 10
const USERS = 12
/** Of so many answers one is lost. */
const LOSS_RATE = 60
const KILL_EVERY_MS = 700
const PURCHASES = 5
const DELIVERIES_EACH = 20

/**
 * Races, kills, lost answers and repeated webhooks against a schema of its own in this database, which is dropped again,
 * whatever happens; then everything the clients were told is compared with the ledger.
 */
export async function prove({ url, seconds, program, say }: ProveOptions): Promise<ProofReport> {
  const schema = `creditkit_prove_${randomBytes(4).toString('hex')}`
  const pool = new pg.Pool({ connectionString: url, max: CALLERS })
  pool.on('error', () => undefined)
  const journal = new Journal()
  const clients = new Clients(program, journal)
  try {
    const { rows } = await pool.query<{ server_version: string }>('show server_version')
    say(`making schema ${schema}`)
    await migrate(pool, { schema })
    const payments = memoryPayments({ delivery: 'hold' })
    const credits = new CreditService({
      creditTypes: [CREDIT_TYPE],
      store: postgresStore(pool, { schema }),
      payments,
    })
    say(`races: ${PROCESSES} processes with ${CALLERS} callers each`)
    const races = await race(credits, clients, { url, schema, seconds })
    say(`kills and lost answers, ${seconds} s`)
    const crashed = await crash(credits, clients, { url, schema, seconds })
    say('webhooks, at once and again')
    const webhooks = await deliver(credits, payments)
    say('comparing the ledger with what clients were told')
    const found = journal.compare(await ledgerOf(credits, [...races.users, ...crashed.users]))
    const verified = await credits.verify()
    await credits.close()
    const report: Omit<ProofReport, 'holds'> = {
      server: `PostgreSQL ${rows[0]?.server_version ?? ''}`,
      seconds,
      races: races.result,
      crashes: {
        kills: crashed.kills,
        lostAnswers: crashed.lostAnswers,
        asked: journal.asked,
        acknowledged: journal.acknowledged,
        replays: journal.replays,
        lostWrites: found.lost.length,
        doubleEffects: found.doubled.length,
        refusedButWritten: found.refusedButWritten.length,
      },
      webhooks,
      overspends: found.overspent.length,
      verified: {
        accounts: verified.accounts,
        violations: verified.violations.map(({ userId, rule, message }) => `${userId}: ${rule}: ${message}`),
      },
      tooFew: tooFewOf(seconds, crashed),
    }
    return { ...report, holds: allHolds(report) }
  } finally {
    clients.killAll()
    // The schema is ours alone: it did not exist before.
    await pool.query(`drop schema if exists "${schema}" cascade`)
    await pool.end()
  }
}

interface Place {
  url: string
  schema: string
  seconds: number
}

/** All callers at once for fewer credits than there are calls: as many get one as there are. */
async function race(credits: CreditService<typeof CREDIT_TYPE>, clients: Clients, { url, schema, seconds }: Place) {
  const rounds = Math.min(MAX_RACES, Math.ceil(seconds / SECONDS_PER_RACE))
  const users: string[] = []
  let succeeded = 0
  let wrongRounds = 0
  for (let round = 0; round < rounds; round++) {
    const userId = `race-${round}`
    users.push(userId)
    await credits.addCredits({ userId, amount: RACE_CREDITS, description: 'Proof' })
    await clients.run({ url, schema, userIds: [userId], callers: CALLERS, calls: 1 }, PROCESSES)
    const spent = (await credits.getTransactionHistory(userId, undefined, 200)).filter(
      ({ amount }) => amount < 0,
    ).length
    succeeded += spent
    if (spent !== RACE_CREDITS) wrongRounds += 1
  }
  const callers = PROCESSES * CALLERS
  return { users, result: { rounds, callers, credits: RACE_CREDITS, succeeded, wrongRounds } }
}

/** Clients behind a network that loses answers; every moment one of them is killed, and another starts. */
async function crash(credits: CreditService<typeof CREDIT_TYPE>, clients: Clients, { url, schema, seconds }: Place) {
  const users = Array.from({ length: USERS }, (_, index) => `crash-${index}`)
  for (const userId of users) await credits.addCredits({ userId, amount: 1_000_000, description: 'Proof' })
  const proxy = await startLosingProxy(url, LOSS_RATE)
  const job = { url: proxy.url, schema, userIds: users, callers: CALLERS, calls: null }
  const start = async () => (await clients.prepare(job)).send('go')
  let kills = 0
  try {
    await Promise.all(Array.from({ length: PROCESSES }, start))
    const started = Date.now()
    const isOver = () => {
      const passed = (Date.now() - started) / 1000
      // A slow machine takes longer for what is wanted.
      return (
        passed >= seconds &&
        (passed >= 3 * seconds || tooFewOf(seconds, { kills, lostAnswers: proxy.lost }).length === 0)
      )
    }
    while (!isOver()) {
      await pause(KILL_EVERY_MS)
      const victim = clients.running[Math.floor(Math.random() * clients.running.length)]
      if (victim === undefined) throw new Error('prove: every client has ended by itself')
      await clients.kill(victim)
      kills += 1
      await start()
    }
    await clients.stop()
  } finally {
    await proxy.close()
  }
  return { users, kills, lostAnswers: proxy.lost }
}

/** Each payment's events many times at once: one grant each. */
async function deliver(
  credits: CreditService<typeof CREDIT_TYPE>,
  payments: ReturnType<typeof memoryPayments>,
): Promise<ProofReport['webhooks']> {
  payments.registerEndpoint((request) => credits.handleWebhook(request))
  const { id: packageId } = await credits.marketplace.createPackage({ name: 'Proof', creditAmount: 100, price: 999 })
  for (let index = 0; index < PURCHASES; index++) {
    const checkout = await credits.marketplace.createCheckout({ userId: `buyer-${index}`, packageId })
    await payments.complete(checkout.sessionId)
  }
  const eventIds = payments.events.map(({ id }) => id)
  const rounds = Array.from({ length: DELIVERIES_EACH }, () => payments.deliver({ eventIds }))
  const deliveries = (await Promise.all(rounds)).flat().length
  let grants = 0
  for (let index = 0; index < PURCHASES; index++) {
    const history = await credits.getTransactionHistory(`buyer-${index}`)
    grants += history.filter(({ transactionType }) => transactionType === 'purchase').length
  }
  return { deliveries, grants, purchases: PURCHASES }
}

async function ledgerOf(
  credits: CreditService<typeof CREDIT_TYPE>,
  users: readonly string[],
): Promise<CreditTransaction[]> {
  const ledger: CreditTransaction[] = []
  for (const userId of users) {
    let cursor: string | null = null
    do {
      const page: { transactions: CreditTransaction[]; nextCursor: string | null } = await credits.listTransactions({
        userId,
        limit: 200,
        cursor,
      })
      ledger.push(...page.transactions)
      cursor = page.nextCursor
    } while (cursor !== null)
  }
  return ledger
}

/** A proof in which nothing went wrong on the way proves nothing. */
function tooFewOf(seconds: number, { kills, lostAnswers }: { kills: number; lostAnswers: number }): string[] {
  const wanted = Math.max(2, Math.floor(seconds / 3))
  return [
    ...(kills < wanted ? [`only ${kills} clients were killed, ${wanted} are wanted`] : []),
    ...(lostAnswers < wanted ? [`only ${lostAnswers} answers were lost, ${wanted} are wanted`] : []),
  ]
}

function allHolds({ races, crashes, webhooks, overspends, verified, tooFew }: Omit<ProofReport, 'holds'>): boolean {
  const broken = races.wrongRounds + crashes.lostWrites + crashes.doubleEffects + crashes.refusedButWritten + overspends
  return broken + verified.violations.length === 0 && webhooks.grants === webhooks.purchases && tooFew.length === 0
}
