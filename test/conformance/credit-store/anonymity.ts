import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { CreditServiceOptions } from '../../../src/credit-service-options.js'
import { EVENT_KINDS } from '../../../src/ledger/event.js'
import { addCredits } from '../../../src/ledger/add.js'
import {
  accountStateOf,
  adding,
  addition,
  type Bench,
  change,
  DAY,
  expectSound,
  later,
  newCommand,
  NOTHING,
  outcomes,
  run,
  stoppedClock,
  times,
} from './bench.js'
import {
  customerOf,
  purchaseOf,
  quarantineOf,
  subscriptionOf,
  topupOf,
  writePurchases,
  writeQuarantine,
  writeTopup,
} from './records.js'

const OPTIONS: CreditServiceOptions = {
  plans: { pro: { grants: [{ creditType: 'scraping', amount: 10, every: 'month' }] } },
  operations: { transcribe: { creditType: 'calling', cost: { unit: 'minutes', credits: 2 } } },
  limits: { calling: [{ max: 1000, per: 'day' }] },
}

/** What may not be found anywhere afterwards. */
const SECRET = 'Ann Example'

export function testAnonymity(bench: Bench): void {
  /** Somebody with something of every kind, whose every text names them. */
  async function person() {
    const [clock, userId] = [stoppedClock(), await bench.newUser()]
    const credits = bench.credits(clock, OPTIONS)
    const metadata = { name: SECRET, nested: [{ name: SECRET }] }
    const texts = { metadata, actor: SECRET, referenceId: SECRET, referenceType: SECRET }
    const base = { userId, creditType: 'calling', description: SECRET, ...texts } as const
    await credits.addCredits({ ...base, amount: 100, transactionType: 'purchase', expiresAt: later(clock, 30 * DAY) })
    const used = await credits.deductCredits({ ...base, amount: 30, idempotencyKey: `use of ${SECRET}` })
    await credits.refundCredits({ transactionId: used.id, amount: 10, reason: SECRET, actor: SECRET, metadata })
    const { description: _description, creditType: _creditType, ...call } = base
    await credits.spend({ ...call, operation: 'transcribe', params: { minutes: 3, speaker: SECRET } })
    const open = await credits.holdCredits({ ...base, amount: 20, expiresInSeconds: 86_400 })
    const captured = await credits.holdCredits({ ...base, amount: 5, idempotencyKey: `hold of ${SECRET}` })
    const capture = await credits.captureHold({ holdId: captured.id, amount: 4, actor: SECRET, metadata })
    await credits.startPlan({ userId, plan: 'pro', actor: SECRET, metadata, idempotencyKey: 'plan' })
    return {
      clock,
      userId,
      credits,
      used,
      open,
      captured,
      capture,
      /** Forget them; returns whom they are from now on. */
      forget: async () => (await credits.anonymizeUser({ userId })).userId,
      /** Everything numbers say about whoever has this id. */
      numbers: async (id: string) => {
        const balances = await bench.store.readBalances(id, clock.now())
        const { transactions: rows } = await bench.store.listTransactions({ ...EVERY_ROW, userId: id })
        const grants = await bench.store.listGrants({ userId: id, creditType: null }, clock.now())
        return {
          balances: balances.sort((a, b) => (a.creditType < b.creditType ? -1 : 1)),
          rows: rows.map(
            ({ id, seq, creditType, transactionType, amount, balanceAfter, createdAt, allocations, relatedId }) => {
              return { id, seq, creditType, transactionType, amount, balanceAfter, createdAt, allocations, relatedId }
            },
          ),
          grants: grants.map((grant) => ({ ...grant, userId: '' })),
          schedules: (await bench.store.listSchedules(id)).map((schedule) => ({ ...schedule, userId: '' })),
        }
      },
    }
  }

  const replaces = () => bench.store.userIdType === 'text'

  describe('forgetting a person', () => {
    it('empties every text that could tell who they are', async () => {
      const { clock, forget, open, captured } = await person()
      const userId = await forget()
      const { transactions: rows } = await bench.store.listTransactions({ ...EVERY_ROW, userId })
      expect(rows).toHaveLength(6)
      const silent = { userId, description: '', referenceId: null, referenceType: null, metadata: null, actor: null }
      for (const row of rows) expect(row).toMatchObject({ ...silent, request: null })
      for (const { id } of [open, captured])
        expect(await bench.store.findHold(id, clock.now())).toMatchObject({ ...silent, request: null })
      const told: unknown[] = []
      await bench.store.scanAccounts({ userId, holds: 'every' }, (history) => told.push(history))
      expect(told).toHaveLength(2)
      expect(JSON.stringify(told)).not.toContain(SECRET)
    })

    it('keeps every number and every time, and a ledger that is sound', async () => {
      const { userId, credits, forget, numbers } = await person()
      const before = await numbers(userId)
      const renamed = await forget()
      expect(await numbers(renamed)).toEqual(before)
      expect(await credits.verify({ userId: renamed })).toEqual({ accounts: 2, violations: [] })
    })

    it('knows the old name no more, where it could be replaced', async () => {
      const { userId, credits, used, open, forget } = await person()
      const renamed = await forget()
      expect(renamed === userId).toBe(!replaces())
      expect(await bench.store.findTransaction(used.id)).toMatchObject({ userId: renamed })
      expect(await bench.store.findHold(open.id, null)).toMatchObject({ userId: renamed })
      if (!replaces()) return
      expect(renamed).toMatch(/^anonymous:/)
      expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
      expect(await credits.getTransactionHistory(userId)).toEqual([])
      expect(await credits.getGrants(userId)).toEqual([])
      expect(await credits.getPlan(userId)).toBeNull()
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await expect(credits.refundCredits({ transactionId: used.id, userId })).rejects.toMatchObject({
        code: 'TRANSACTION_NOT_FOUND',
      })
    })

    it('lets the rest of their credits be used, refunded, captured, renewed and end as before', async () => {
      const { clock, credits, used, open, capture, forget } = await person()
      const userId = await forget()
      expect(await credits.refundCredits({ transactionId: used.id })).toMatchObject({ userId, amount: 20 })
      expect(await credits.refundCredits({ transactionId: capture.id, amount: 1 })).toMatchObject({ amount: 1 })
      expect(await credits.captureHold({ holdId: open.id, amount: 15 })).toMatchObject({ userId, amount: -15 })
      expect(await credits.deductCredits(userId, 70, 'calling', 'All')).toMatchObject({ balanceAfter: 6 })
      clock.advance(31 * DAY)
      await credits.adjustCredits(userId, 1, 'calling', 'Late')
      await credits.adjustCredits(userId, 1, 'scraping', 'Late')
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 1, owned: 1 })
      expect((await credits.getAllBalances(userId)).scraping).toMatchObject({ balance: 11, owned: 11 })
      await expectSound(credits, userId)
    })

    it('drops the events that waited to be told of them, parked ones too', async () => {
      const [clock, userId, other] = [stoppedClock(), await bench.newUser(), await bench.newUser()]
      const rules = { limits: [], alerts: [], announce: new Set(EVENT_KINDS) }
      const claim = async () => {
        const claimed = await bench.store.claimEvents({
          limit: 1000,
          kinds: EVENT_KINDS,
          leaseSeconds: 1,
          now: clock.now(),
        })
        clock.advance(DAY)
        return claimed.map((event) => event.userId)
      }
      const tell = (user: string) =>
        change(bench.store, { userId: user, creditType: 'calling' }, clock.now(), (p) => addCredits(p, addition(1)), {
          rules,
        })
      const [parked] = (await tell(userId)).events
      for (const user of [userId, other]) await tell(user)
      expect(await claim()).toEqual(expect.arrayContaining([userId, userId, other]))
      if (parked !== undefined) await bench.store.failEvent(parked, null, clock.now())
      expect(await bench.store.anonymizeUser(userId, nameFor(userId))).toEqual({ accounts: 1, purchases: 0 })
      const waiting = await claim()
      expect(waiting).toContain(other)
      expect(waiting).not.toContain(userId)
      expect(waiting).not.toContain(nameFor(userId))
      const stillParked = (await bench.store.listParkedEvents(1000)).map(({ id }) => id)
      expect(stillParked).not.toContain(parked?.id)
    })

    it("keeps the payments' own ids, so that money going back still finds its purchase", async () => {
      const userId = await bench.newUser()
      const [sessionId, paymentId] = [`cs_${uuidv4()}`, `pi_${uuidv4()}`]
      const purchase = purchaseOf(userId, {
        status: 'fulfilled',
        sessionId,
        paymentId,
        chargeId: 'ch_1',
        paidMinor: 999,
      })
      await writePurchases(bench.store, [purchase])
      expect(await bench.store.anonymizeUser(userId, nameFor(userId))).toEqual({ accounts: 0, purchases: 1 })
      const forgotten = { ...purchase, userId: nameFor(userId) }
      for (const reference of [{ sessionId }, { paymentId }, { id: purchase.id }])
        expect(await bench.store.findPurchase(reference)).toEqual(forgotten)
    })

    it('leaves the quarantine no word about them, and nobody to ask', async () => {
      const userId = await bench.newUser()
      const resolved = {
        resolvedAt: new Date('2026-03-11T12:00:00Z'),
        resolvedBy: SECRET,
        resolution: 'granted' as const,
      }
      const own = [quarantineOf({ userId, details: { name: SECRET } }), quarantineOf({ userId, ...resolved })]
      const others = [quarantineOf(), quarantineOf({ userId: `${userId}1` })]
      await writeQuarantine(bench.store, ...own, ...others)
      await bench.store.anonymizeUser(userId, nameFor(userId))
      for (const entry of own) {
        const silent = { ...entry, userId: nameFor(userId), details: {}, resolvedBy: null }
        expect(await bench.store.findQuarantine(entry.id)).toEqual(silent)
      }
      for (const entry of others) expect(await bench.store.findQuarantine(entry.id)).toEqual(entry)
    })

    it("keeps their customers and subscriptions at the provider's, as those of their new name", async () => {
      const [userId, other] = [await bench.newUser(), await bench.newUser()]
      const [customer, subscription] = [customerOf(userId), subscriptionOf(userId)]
      const untouched = customerOf(other)
      await bench.store.saveSubscription(subscription)
      for (const each of [customer, untouched]) await bench.store.saveCustomer(each, null)
      await bench.store.anonymizeUser(userId, nameFor(userId))
      const renamed = { userId: nameFor(userId) }
      expect(await bench.store.findCustomer(customer)).toEqual(replaces() ? null : customer)
      expect(await bench.store.findCustomer({ ...customer, ...renamed })).toEqual({ ...customer, ...renamed })
      expect(await bench.store.listSubscriptions(renamed.userId)).toEqual([{ ...subscription, ...renamed }])
      expect(await bench.store.findCustomer(untouched)).toEqual(untouched)
    })

    it('never charges them again: automatic top-ups are off, and nothing asks for one', async () => {
      const [userId, other] = [await bench.newUser(), await bench.newUser()]
      const due = { topupThreshold: 20, topupDue: true }
      const open = { openPurchaseId: uuidv7(), openSince: new Date('2026-03-10T12:00:00Z'), recoveryUrl: SECRET }
      const calling = topupOf({ userId, creditType: 'calling' })
      const scraping = topupOf({ userId, creditType: 'scraping' }, { ...open, status: 'action_required' })
      const untouched = topupOf({ userId: other, creditType: 'calling' })
      for (const topup of [calling, scraping, untouched]) await writeTopup(bench.store, topup, due)
      await bench.store.anonymizeUser(userId, nameFor(userId))
      const silent = { userId: nameFor(userId), status: 'off', recoveryUrl: null }
      // A payment that is under way may still arrive.
      expect(await bench.store.listTopups(nameFor(userId))).toEqual([
        { ...calling, ...silent },
        { ...scraping, ...silent },
      ])
      const now = stoppedClock().now()
      const { account } = await accountStateOf(bench.store, { ...calling, userId: nameFor(userId) }, { now })
      expect(account).toMatchObject({ topupThreshold: null, topupDue: false })
      expect(await bench.store.listTopups(other)).toEqual([untouched])
    })

    it('keeps the keys of our own used, so that nothing of theirs happens twice', async () => {
      const [userId, keys] = [await bench.newUser(), times(2, () => `creditkit:${uuidv7()}`)]
      /** The first key with a row in the ledger, the second without one. */
      const writeBoth = (id: string) =>
        Promise.all(
          keys.map((key, index) => {
            const command = newCommand([{ userId: id, creditType: 'calling' }], { key })
            const keeping = () => ({ ...NOTHING, result: 0, keptResult: { done: true } })
            return run(bench.store, command, index === 0 ? adding(command, 10) : keeping)
          }),
        )
      expect(await writeBoth(userId)).toMatchObject([{ status: 'applied' }, { status: 'applied' }])
      await bench.store.anonymizeUser(userId, nameFor(userId))
      expect(await writeBoth(nameFor(userId))).toMatchObject([{ status: 'replayed' }, { status: 'replayed' }])
      expect(await bench.store.readBalance({ userId: nameFor(userId), creditType: 'calling' }, null)).toMatchObject({
        balance: 10,
      })
    })

    it('touches nobody else', async () => {
      const [ann, bob] = [await person(), await person()]
      const before = await bob.numbers(bob.userId)
      const rows = await bob.credits.getTransactionHistory(bob.userId)
      await ann.forget()
      expect(await bob.numbers(bob.userId)).toEqual(before)
      expect(await bob.credits.getTransactionHistory(bob.userId)).toEqual(rows)
    })

    it('refuses a name that somebody has, and changes nothing', async () => {
      const [ann, bob] = [await person(), await person()]
      if (!replaces()) return
      const before = await ann.numbers(ann.userId)
      await expect(bench.store.anonymizeUser(ann.userId, bob.userId)).rejects.toThrow()
      expect(await ann.numbers(ann.userId)).toEqual(before)
      expect(await bob.credits.verify({ userId: bob.userId })).toEqual({ accounts: 2, violations: [] })
    })

    it('of somebody nobody has heard of does nothing', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      expect(await credits.anonymizeUser({ userId })).toEqual({ userId, accounts: 0, purchases: 0 })
    })

    it('while they use their credits loses none of them', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 1000, 'calling', 'Welcome')
      const writing = times(20, () => credits.addCredits(userId, 1, 'calling', 'One'))
      const [{ succeeded, codes }, forgotten] = await Promise.all([
        outcomes(writing),
        outcomes([credits.anonymizeUser({ userId })]),
      ])
      // Whoever comes too close to it is told to come again; nobody gets a half of it.
      expect(Object.keys({ ...codes, ...forgotten.codes }).filter((code) => code !== 'UNAVAILABLE')).toEqual([])
      const names = [...new Set([userId, ...forgotten.succeeded.map((done) => done.userId)])]
      const balances = await Promise.all(names.map((name) => credits.getBalance(name, 'calling')))
      expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(1000 + succeeded.length)
      for (const name of names) await expectSound(credits, name)
    })
  })

  /** The id a user has once they are forgotten. */
  function nameFor(userId: string): string {
    return replaces() ? `gone:${userId}` : userId
  }
}

const EVERY_ROW = { creditType: null, transactionType: null, from: null, to: null, limit: 200, offset: 0, after: null }
