import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService, isCreditError } from '../../src/index.js'
import { lockAccounts } from '../support/account-lock.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type SeededRandom, seededRandom } from '../support/seeded-random.js'

/*
 * A few calls at one time, each by a service with connections of its own: there is an order in which one after the other,
 * asked of a store in memory, they get exactly these answers and leave exactly these accounts.
 */

const isLong = process.env['TEST_HISTORIES'] !== undefined
const ROUNDS = isLong ? 1_500 : 60
const SEED = isLong ? Date.now() % 2 ** 31 : 20_261_123
const CALLS = 4

/** What is there before the calls. */
interface Scene {
  credits: CreditService
  users: readonly [ann: string, bob: string]
  hold: string
  use: string
}

type Answer = { balanceAfter?: number | undefined; status?: string; code?: string }

/** A call, as it can be asked of any scene. */
interface Call {
  text: string
  ask: (scene: Scene, credits: CreditService) => Promise<Answer>
}

let database: TestDatabase
let callers: CreditService[]

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  callers = Array.from({ length: CALLS }, () => new CreditService({ store: postgresStore(database.url), cache: null }))
})
afterAll(async () => {
  await Promise.all(callers.map((credits) => credits.close()))
  await database.drop()
})

describe('calls at one time', () => {
  it(
    `are answered, and end, as in some order of them: ${ROUNDS} rounds`,
    { timeout: isLong ? 1_200_000 : 120_000 },
    async () => {
      const random = seededRandom(SEED)
      // How often the first order that fits was another one than that of asking.
      let overtaken = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const calls = Array.from({ length: CALLS }, () => newCall(random))
        const [first] = callers
        if (first === undefined) throw new Error('orders: nobody calls')
        const scene = await prepare(first)
        // Half of the times all of them meet at the same lock.
        const lock = random.isChosen(0.5) ? await lockAccounts(database.url, ...scene.users) : null
        let answered = 0
        const asked = calls.map(async (call, index) => {
          const given = await answer(call, scene, callers[index] ?? first)
          answered += 1
          return given
        })
        if (lock !== null) {
          // Who surely can't pay is refused without waiting.
          while ((await lock.waiting()) + answered < CALLS) await pause(5)
          await lock.release()
        }
        const answers = await Promise.all(asked)
        const found = { answers, ...(await ends(scene)) }
        const told: unknown[] = []
        let fits = false
        for (const order of ordersOf(calls.map((_call, index) => index))) {
          const one = await oneByOne(calls, order)
          fits = JSON.stringify(one) === JSON.stringify(found)
          told.push(one)
          if (fits && told.length > 1) overtaken += 1
          if (fits) break
        }
        expect({
          seed: SEED,
          round,
          calls: calls.map(({ text }) => text),
          found,
          told: fits ? 'fits' : told,
        }).toMatchObject({
          told: 'fits',
        })
        expect((await first.verify({ userId: scene.users[0] })).violations).toEqual([])
      }
      expect(overtaken).toBeGreaterThan(ROUNDS / 20)
    },
  )
})

const account = (userId: string) => ({ userId, creditType: 'calling', description: 'Order' }) as const

/** Ann has 30 left, 10 held and a use of 10; Bob has 15, of which 10 are of an older grant. */
async function prepare(credits: CreditService): Promise<Scene> {
  const users = [`ann-${randomUUID()}`, `bob-${randomUUID()}`] as const
  const [ann, bob] = users
  await credits.addCredits({ ...account(ann), amount: 50 })
  const { id: use } = await credits.deductCredits({ ...account(ann), amount: 10 })
  const { id: hold } = await credits.holdCredits({ ...account(ann), amount: 10 })
  await credits.addCredits({ ...account(bob), amount: 10 })
  await credits.addCredits({ ...account(bob), amount: 5 })
  return { credits, users, hold, use }
}

function newCall(random: SeededRandom): Call {
  const who = random.between(0, 1)
  const amount = random.between(5, 25)
  const [name, other] = who === 0 ? ['ann', 'bob'] : ['bob', 'ann']
  const of = ({ users }: Scene) => ({ ...account(users[who] ?? ''), amount })
  const kinds: Call[] = [
    { text: `${name} uses ${amount}`, ask: (scene, credits) => credits.deductCredits(of(scene)) },
    { text: `${name} uses ${amount} again`, ask: (scene, credits) => credits.deductCredits(of(scene)) },
    { text: `${name} gets ${amount}`, ask: (scene, credits) => credits.addCredits(of(scene)) },
    {
      text: `${name} holds ${amount}`,
      ask: async (scene, credits) => ({ status: (await credits.holdCredits(of(scene))).status }),
    },
    {
      text: 'ann is charged 7 of the hold',
      ask: ({ hold }, credits) => credits.captureHold({ holdId: hold, amount: 7 }),
    },
    {
      text: 'the hold is released',
      ask: async ({ hold }, credits) => ({ status: (await credits.releaseHold({ holdId: hold })).status }),
    },
    { text: 'the use is given back', ask: ({ use }, credits) => credits.refundCredits({ transactionId: use }) },
    {
      text: `4 of the use are given back`,
      ask: ({ use }, credits) => credits.refundCredits({ transactionId: use, amount: 4 }),
    },
    {
      text: `${name} sends ${amount} to ${other}`,
      ask: async (scene, credits) => {
        const fromUserId = scene.users[who] ?? ''
        const toUserId = scene.users[1 - who] ?? ''
        const { from, to } = await credits.transferCredits({ ...account(fromUserId), amount, fromUserId, toUserId })
        return { balanceAfter: from.balanceAfter, status: String(to.balanceAfter) }
      },
    },
    {
      text: `${name} is set ${amount} lower`,
      ask: (scene, credits) => credits.adjustCredits({ ...of(scene), amount: -amount }),
    },
  ]
  return random.pick(kinds)
}

async function answer(call: Call, scene: Scene, credits: CreditService): Promise<Answer> {
  try {
    const { balanceAfter, status } = await call.ask(scene, credits)
    return { balanceAfter, ...(status === undefined ? {} : { status }) }
  } catch (error) {
    if (!isCreditError(error)) throw error
    return { code: error.code }
  }
}

async function ends({ credits, users }: Scene): Promise<{ accounts: unknown[] }> {
  const accounts = []
  for (const userId of users) {
    const { calling } = await credits.getAllBalances(userId)
    const { balance, held, owned, debt, totalPurchased, totalUsed } = calling
    accounts.push({ balance, held, owned, debt, totalPurchased, totalUsed })
  }
  return { accounts }
}

async function oneByOne(
  calls: readonly Call[],
  order: readonly number[],
): Promise<{ answers: Answer[]; accounts: unknown[] }> {
  const credits = new CreditService({ store: memoryStore(), cache: null })
  const scene = await prepare(credits)
  const answers: Answer[] = []
  for (const index of order) {
    const call = calls[index]
    if (call !== undefined) answers[index] = await answer(call, scene, credits)
  }
  const found = { answers, ...(await ends(scene)) }
  await credits.close()
  return found
}

/** Every order of some numbers; theirs first. */
function* ordersOf(numbers: readonly number[]): Generator<readonly number[]> {
  if (numbers.length <= 1) yield numbers
  for (const [index, first] of numbers.entries()) {
    if (numbers.length === 1) return
    for (const rest of ordersOf(numbers.filter((_number, other) => other !== index))) yield [first, ...rest]
  }
}
