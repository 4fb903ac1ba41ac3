import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { UnavailableError } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { later, outcomes, times } from '../conformance/credit-store/bench.js'
import { openStoreOn, viaPool } from '../stores/real-databases.js'
import { failingStore } from './failing-store.js'
import { listen } from './listening.js'
import { ledger, PLANS } from './planning.js'
import { overriding } from './overriding.js'
import { HOUR, onEveryStore, openStage, type Stage } from './stage.js'

const call = { creditType: 'calling', description: 'Call' } as const
const NOTHING = { accounts: 0, failed: 0, topups: 0, events: { delivered: 0, failed: 0 }, finished: true }

/** So many users whose ten credits have ended. */
async function expiredUsers({ credits, clock, newUser }: Stage, count: number): Promise<string[]> {
  const users = times(count, newUser)
  for (const userId of users) await credits.addCredits({ ...call, userId, amount: 10, expiresAt: later(clock, HOUR) })
  clock.advance(HOUR)
  return users
}

onEveryStore('runDue', (open) => {
  it('writes expiries, holds whose time ran out and new periods, as of when they happened, and changes no balance', async () => {
    const { userId, clock, ...stage } = open()
    const credits = stage.service({ plans: PLANS })
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.addCredits({ ...call, userId, amount: 7, expiresAt: later(clock, HOUR) })
    const hold = await credits.holdCredits({ ...call, userId, amount: 20, expiresInSeconds: 7200 })
    clock.set('2026-04-11T00:00:00.000Z')
    const before = await credits.getBalance(userId, 'calling')
    await credits.runDue()
    expect(await credits.getBalance(userId, 'calling')).toBe(before)
    expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 100, owned: 100, held: 0 })
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'adjustment 7',
      'expiration -7 @ 2026-03-10',
      'expiration -100 @ 2026-04-10',
      'adjustment 100 @ 2026-04-10',
    ])
    await expect(credits.releaseHold({ holdId: hold.id })).rejects.toMatchObject({ status: 'expired' })
    expect((await credits.verify({ userId })).violations).toEqual([])
  })

  it('run at the same time many times over writes everything once', async () => {
    const stage = open()
    const users = await expiredUsers(stage, 30)
    const other = stage.service()
    await Promise.all(times(6, (index) => (index % 2 === 0 ? stage.credits : other).runDue()))
    for (const userId of users)
      expect(await ledger(stage.credits, userId)).toEqual(['adjustment 10', 'expiration -10 @ 2026-03-10'])
  })

  it('does not stand in the way of uses at the same time', async () => {
    const stage = open()
    const users = await expiredUsers(stage, 10)
    const { credits } = stage
    const { codes } = await outcomes<unknown>([
      ...users.map((userId) => credits.addCredits({ ...call, userId, amount: 5 })),
      ...times(3, () => credits.runDue()),
      ...users.map((userId) => credits.adjustCredits(userId, 1, 'calling', 'Correction')),
    ])
    expect(codes).toEqual({})
    for (const userId of users) {
      expect(await credits.getBalance(userId, 'calling')).toBe(6)
      const expired = (await ledger(credits, userId)).filter((row) => row.startsWith('expiration'))
      expect(expired).toEqual(['expiration -10 @ 2026-03-10'])
    }
  })
})

describe.each<[string, () => Promise<CreditStore>]>([
  ['memory', async () => memoryStore()],
  ['Postgres', () => openStoreOn(viaPool)],
])('the report of runDue, on %s', (_, openStore) => {
  let store: CreditStore | undefined
  afterEach(() => store?.close())
  /** On a store of its own: the report is about all accounts. */
  async function open(): Promise<Stage> {
    store = await openStore()
    return openStage(store)
  }

  it('counts the accounts in which something was written, and nothing the next time', async () => {
    const stage = await open()
    expect(await stage.credits.runDue()).toEqual(NOTHING)
    await stage.credits.addCredits({
      ...call,
      userId: stage.newUser(),
      amount: 10,
      expiresAt: later(stage.clock, 2 * HOUR),
    })
    await expiredUsers(stage, 3)
    expect(await stage.credits.runDue()).toEqual({ ...NOTHING, accounts: 3 })
    expect(await stage.credits.runDue()).toEqual(NOTHING)
  })

  it('counts every account once when there are more than it looks at in one go, and two run at once', async () => {
    const stage = await open()
    const users = await expiredUsers(stage, 230)
    const reports = await Promise.all([stage.credits.runDue(), stage.service().runDue()])
    expect(reports.reduce((sum, { accounts }) => sum + accounts, 0)).toBe(230)
    expect(reports.every(({ failed, finished }) => failed === 0 && finished)).toBe(true)
    const last = users.at(-1) ?? ''
    expect(await ledger(stage.credits, last)).toEqual(['adjustment 10', 'expiration -10 @ 2026-03-10'])
  })

  it('counts an account that could not be reached as failed; the others are swept, and the next run sweeps it', async () => {
    const stage = await open()
    const users = await expiredUsers(stage, 6)
    const broken = users[2] ?? ''
    const warnings: object[] = []
    const quiet = { debug: () => undefined, info: () => undefined, error: () => undefined }
    const failing = stage.service({
      store: failingStore(stage.store, async ({ userId }) => (userId === broken ? 'before' : null)),
      logger: { ...quiet, warn: (details) => void warnings.push(details) },
    })
    expect(await failing.runDue()).toEqual({ ...NOTHING, accounts: 5, failed: 1 })
    expect(warnings).toMatchObject([{ userId: broken, creditType: 'calling' }])
    expect(await ledger(stage.credits, broken)).toEqual(['adjustment 10'])
    expect(await stage.credits.runDue()).toEqual({ ...NOTHING, accounts: 1 })
  })

  it('says when the time was over before everything was done; running again does the rest', async () => {
    const stage = await open()
    const users = await expiredUsers(stage, 5)
    const store = failingStore(stage.store, async () => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return null
    })
    // The first four accounts begin at once, and take longer than there is time.
    const report = await stage.service({ store }).runDue({ deadlineMs: 20 })
    expect(report).toMatchObject({ failed: 0, finished: false })
    expect(report.accounts).toBeLessThan(5)
    const rest = await stage.credits.runDue()
    expect(rest).toEqual({ ...NOTHING, accounts: 5 - report.accounts })
    for (const userId of users) expect(await ledger(stage.credits, userId)).toHaveLength(2)
  })

  it('counts the callbacks that were told, and those that failed', async () => {
    const stage = await open()
    const [bad, ...good] = await expiredUsers(stage, 4)
    // Nobody tells what this one writes: it never gets to it.
    const silent = overriding(stage.store, { claimEvents: async () => [] })
    expect(await stage.service({ on: { expired: () => null }, store: silent }).runDue()).toEqual({
      ...NOTHING,
      accounts: 4,
    })
    const listener = listen(stage, ['expired'], {
      respond: ({ userId }) => {
        if (userId === bad) throw new Error('no')
      },
    })
    expect(await listener.credits.runDue()).toEqual({ ...NOTHING, events: { delivered: 3, failed: 1 } })
    expect(good.map((userId) => listener.kinds(userId))).toEqual(times(3, () => ['expired']))
    stage.clock.advance(HOUR)
    expect(await listener.credits.runDue()).toEqual({ ...NOTHING, events: { delivered: 0, failed: 1 } })
  })

  it('comes with the error of a bug, which is no failure to reach an account', async () => {
    const stage = await open()
    await expiredUsers(stage, 1)
    const bug = new TypeError('undefined is not a function')
    const broken = failingStore(stage.store, () => Promise.reject(bug))
    await expect(stage.service({ store: broken }).runDue()).rejects.toBe(bug)
  })

  it('is not made when the store cannot be asked what is due', async () => {
    const stage = await open()
    const down = new UnavailableError('Failed on purpose')
    const store = overriding(stage.store, { findDue: () => Promise.reject(down) })
    await expect(stage.service({ store }).runDue()).rejects.toBe(down)
  })
})

describe('a deadline for runDue', () => {
  it.each([0, -1, 0.5, NaN, 3_600_001])('of %s ms is refused', async (deadlineMs) => {
    const { credits } = openStage(memoryStore())
    await expect(credits.runDue({ deadlineMs })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })
})
