import { beforeEach, describe, expect, it } from 'vitest'
import type { AccountKey } from '../../../src/ledger/account.js'
import type { AccountRules } from '../../../src/ledger/account-state.js'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { EVENT_KINDS, type EventKind, type EventRecord } from '../../../src/ledger/event.js'
import { Posting } from '../../../src/ledger/posting.js'
import type { ClaimedEvent } from '../../../src/ports/outbox-store.js'
import type { Clock } from '../../../src/ports/clock.js'
import {
  addition,
  type Bench,
  change,
  details,
  DAY,
  later,
  newCommand,
  NOTHING,
  run,
  SECOND,
  stoppedClock,
  times,
} from './bench.js'

const EVERYTHING: AccountRules = { limits: [], alerts: [], announce: new Set(EVENT_KINDS) }

const FAR_FUTURE = new Date('2500-01-01T00:00:00Z')

export function testOutbox(bench: Bench): void {
  const newAccount = async (): Promise<AccountKey> => ({ userId: await bench.newUser(), creditType: 'calling' })

  /** Add credits and use some, which is `count` events of one decision. Returns them as written. */
  async function tell(key: AccountKey, now: Date | null, count = 1): Promise<EventRecord[]> {
    const { events } = await change(
      bench.store,
      key,
      now,
      (posting) => {
        addCredits(posting, addition(100))
        for (let uses = 1; uses < count; uses += 1) deductCredits(posting, { ...details(), amount: 1 })
      },
      { rules: EVERYTHING },
    )
    return events
  }

  const claim = (clock: Clock, limit = 100, leaseSeconds = 60, kinds: readonly EventKind[] = EVENT_KINDS) =>
    bench.store.claimEvents({ limit, kinds, leaseSeconds, now: clock.now() })

  const ids = (events: readonly { id: string }[]) => events.map(({ id }) => id)

  /** Nothing waits from the tests before: claiming looks at everybody's events. */
  beforeEach(async () => {
    for (;;) {
      const waiting = await bench.store.claimEvents({
        limit: 100,
        kinds: EVENT_KINDS,
        leaseSeconds: 1,
        now: FAR_FUTURE,
      })
      const parked = await bench.store.listParkedEvents(100)
      for (const event of [...waiting, ...parked]) await bench.store.settleEvent(event)
      if (waiting.length + parked.length === 0) return
    }
  })

  describe('events', () => {
    it('are written with their decision, and handed out with every field', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const written = await tell(key, clock.now(), 2)
      expect(written).toMatchObject([
        { ...key, kind: 'added', seq: 1, position: 0, createdAt: clock.now(), payload: { amount: 100, balance: 99 } },
        { ...key, kind: 'deducted', seq: 1, position: 1, payload: { amount: 1, referenceId: null } },
      ])
      expect(await claim(clock)).toEqual(written.map((event) => ({ ...event, failures: 0 })))
    })

    it('are not written when the decision throws, nor again when it is repeated', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const command = newCommand([key], { now: clock.now(), key: 'k' })
      const decide = (refuse: boolean) =>
        run(bench.store, command, ({ accounts: [state] }, now) => {
          if (state === undefined) throw new Error('the account was not loaded')
          const posting = new Posting(state, now, () => details().id, EVERYTHING)
          const main = addCredits(posting, addition(10, { id: command.id, idempotencyKey: 'k' }))
          const changes = posting.finish()
          expect(changes.events).toHaveLength(1)
          if (refuse) throw new RangeError('no')
          return { result: null, main, accounts: [changes] }
        })
      await expect(decide(true)).rejects.toThrow(RangeError)
      expect(await claim(clock)).toEqual([])
      expect(await decide(false)).toMatchObject({ status: 'applied' })
      expect(await decide(false)).toMatchObject({ status: 'replayed' })
      expect(await claim(clock)).toHaveLength(1)
    })

    it("are handed out at once by the store's own clock, and only after their lease again", async () => {
      const key = await newAccount()
      const written = await tell(key, null)
      const query = { limit: 10, kinds: EVENT_KINDS, leaseSeconds: 3600, now: null }
      expect(ids(await bench.store.claimEvents(query))).toEqual(ids(written))
      expect(await bench.store.claimEvents(query)).toEqual([])
    })

    it('of one account come in the order of seq and position, those of others beside them', async () => {
      const [clock, keys] = [stoppedClock(), await Promise.all(times(3, newAccount))]
      const written = new Map<string, string[]>()
      for (const count of [1, 3, 2])
        for (const key of keys) {
          const events = await tell(key, clock.now(), count)
          written.set(key.userId, [...(written.get(key.userId) ?? []), ...ids(events)])
        }
      const claimed = await claim(clock)
      expect(claimed).toHaveLength(18)
      for (const { userId } of keys) expect(ids(ofUser(claimed, userId))).toEqual(written.get(userId))
    })

    it('of one user are in order per account: another credit type does not wait', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const [first] = await tell(key, clock.now())
      const [other] = await tell({ ...key, creditType: 'scraping' }, clock.now())
      expect(ids(await claim(clock)).sort()).toEqual(ids([first, other].flatMap((event) => event ?? [])).sort())
      if (first !== undefined) await bench.store.failEvent(first, 3600, clock.now())
      await tell(key, clock.now())
      const [next] = await tell({ ...key, creditType: 'scraping' }, clock.now())
      if (other !== undefined) await bench.store.settleEvent(other)
      expect(ids(await claim(clock))).toEqual([next?.id])
    })
  })

  describe('claiming events', () => {
    it('hands out at most as many as asked for, the first of each account before those behind them', async () => {
      const [clock, keys] = [stoppedClock(), await Promise.all(times(2, newAccount))]
      for (const key of keys) await tell(key, clock.now(), 3)
      const claimed = await claim(clock, 4)
      expect(claimed).toHaveLength(4)
      for (const { userId } of keys) {
        const positions = ofUser(claimed, userId).map(({ position }) => position)
        expect(positions).toEqual(times(positions.length, (index) => index))
      }
    })

    it("gives nobody else any of an account's events until those handed out are settled", async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const [first, second, third] = await tell(key, clock.now(), 3)
      expect(ids(await claim(clock, 1))).toEqual([first?.id])
      expect(await claim(clock)).toEqual([])
      const [fourth] = await tell(key, clock.now())
      expect(await claim(clock)).toEqual([])
      if (first !== undefined) await bench.store.settleEvent(first)
      expect(ids(await claim(clock))).toEqual([second?.id, third?.id, fourth?.id])
      expect(await claim(clock)).toEqual([])
    })

    it('hands the same out again when the lease is over, and not before', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const written = await tell(key, clock.now(), 2)
      await claim(clock, 100, 60)
      clock.advance(60 * SECOND - 1)
      expect(await claim(clock)).toEqual([])
      clock.advance(1)
      expect(await claim(clock)).toEqual(written.map((event) => ({ ...event, failures: 0 })))
    })

    it('gives an account to one of many claimers at once, and every event to exactly one', async () => {
      const [clock, keys] = [stoppedClock(), await Promise.all(times(8, newAccount))]
      for (const key of keys) await tell(key, clock.now(), 3)
      for (let round = 1; round <= 10; round += 1) {
        const pages = await Promise.all(times(8, () => claim(clock, 24, 60)))
        const claimed = pages.flat()
        expect(ids(claimed)).toHaveLength(new Set(ids(claimed)).size)
        expect(claimed.length).toBeGreaterThan(0)
        for (const { userId } of keys)
          expect(pages.filter((page) => ofUser(page, userId).length > 0).length).toBeLessThanOrEqual(1)
        // What was claimed is free again; whoever came too late gets it in the next round.
        clock.advance(60 * SECOND)
      }
      expect(await claim(clock)).toHaveLength(24)
    })

    it('hands everything out in the end, however small the pages of those who ask at once', async () => {
      const [clock, keys] = [stoppedClock(), await Promise.all(times(8, newAccount))]
      for (const key of keys) await tell(key, clock.now(), 3)
      for (let left = 24; left > 0;) {
        const claimed = (await Promise.all(times(4, () => claim(clock, 7)))).flat()
        expect(claimed.length).toBeGreaterThan(0)
        for (const event of claimed) await bench.store.settleEvent(event)
        left -= claimed.length
        expect(left).toBeGreaterThanOrEqual(0)
      }
      expect(await claim(clock)).toEqual([])
    })

    it('passes over any number of events that wait, and finds what is behind them', async () => {
      const [clock, key, other] = [stoppedClock(), await newAccount(), await newAccount()]
      const [first] = await tell(key, clock.now(), 30)
      await claim(clock, 1)
      if (first !== undefined) await bench.store.failEvent(first, 3600, clock.now())
      const written = await tell(other, clock.now(), 2)
      expect(ids(await claim(clock, 5))).toEqual(ids(written))
    })
  })

  describe('claiming events of some kinds', () => {
    it('leaves an account waiting whose first event is of none of them, and no other account', async () => {
      const [clock, key, other] = [stoppedClock(), await newAccount(), await newAccount()]
      await tell(key, clock.now(), 2)
      const [added, deducted] = await tell(other, clock.now(), 2)
      if (added !== undefined) await bench.store.settleEvent(added)
      expect(ids(await claim(clock, 100, 60, ['deducted', 'held']))).toEqual([deducted?.id])
      expect(await claim(clock, 100, 60, [])).toEqual([])
      expect(await claim(clock, 100, 60, EVENT_KINDS)).toHaveLength(2)
    })

    it('hands out what stands before the first event of another kind, and nothing behind it', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const written = [
        await tell(key, clock.now()),
        await tell(key, clock.now(), 3),
        await tell(key, clock.now()),
      ].flat()
      expect(written.map(({ kind }) => kind)).toEqual(['added', 'added', 'deducted', 'deducted', 'added'])
      const claimed = await claim(clock, 100, 60, ['added'])
      expect(ids(claimed)).toEqual(ids(written.slice(0, 2)))
      for (const event of claimed) await bench.store.settleEvent(event)
      expect(await claim(clock, 100, 60, ['added'])).toEqual([])
      expect(ids(await claim(clock, 100, 60, ['deducted']))).toEqual(ids(written.slice(2, 4)))
    })

    it('is not held up by an event of another kind that is parked', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const [first, second] = await tell(key, clock.now(), 2)
      if (first !== undefined) await bench.store.failEvent(first, null, clock.now())
      expect(ids(await claim(clock, 100, 60, ['deducted']))).toEqual([second?.id])
    })
  })

  describe('settling an event', () => {
    it('removes it, and repeating that changes nothing', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const written = await tell(key, clock.now(), 2)
      await claim(clock)
      for (const event of [...written, ...written]) await bench.store.settleEvent(event)
      clock.advance(DAY)
      expect(await claim(clock)).toEqual([])
      expect(await bench.store.listParkedEvents(10)).toEqual([])
    })
  })

  describe('a failed event', () => {
    /** An account with three events, all handed out. */
    async function handedOut() {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const [first, second, third] = await tell(key, clock.now(), 3)
      if (first === undefined || second === undefined || third === undefined) throw new Error('three were to be told')
      expect(await claim(clock, 100, 3600)).toHaveLength(3)
      return { clock, key, first, second, third }
    }

    it('waits for its next attempt, and its account waits with it, in order', async () => {
      const { clock, first, second, third } = await handedOut()
      await bench.store.failEvent(first, 10, clock.now())
      clock.advance(10 * SECOND - 1)
      expect(await claim(clock)).toEqual([])
      clock.advance(1)
      const again = await claim(clock)
      expect(again.map(({ id, failures }) => [id, failures])).toEqual([
        [first.id, 1],
        [second.id, 0],
        [third.id, 0],
      ])
    })

    it('in the middle keeps those behind it, and they are free as soon as it is', async () => {
      const { clock, first, second, third } = await handedOut()
      await bench.store.settleEvent(first)
      await bench.store.failEvent(second, 10, clock.now())
      expect(await claim(clock)).toEqual([])
      clock.advance(10 * SECOND)
      expect(ids(await claim(clock))).toEqual([second.id, third.id])
    })

    it('counts its failures', async () => {
      const { clock, first } = await handedOut()
      for (const failures of [1, 2, 3]) {
        await bench.store.failEvent(first, 1, clock.now())
        clock.advance(SECOND)
        expect((await claim(clock))[0]).toMatchObject({ id: first.id, failures })
      }
    })

    it('is parked when there shall be no other attempt, and its account goes on at once', async () => {
      const { clock, first, second, third } = await handedOut()
      await bench.store.failEvent(first, 1, clock.now())
      clock.advance(SECOND)
      await claim(clock)
      await bench.store.failEvent(first, null, clock.now())
      expect(await bench.store.listParkedEvents(10)).toEqual([{ ...first, failures: 2 }])
      expect(ids(await claim(clock))).toEqual([second.id, third.id])
      clock.advance(DAY)
      expect(ids(await claim(clock))).toEqual([second.id, third.id])
    })

    it('leaves those before it to whoever has them, and is passed over once it is parked', async () => {
      const { clock, first, second, third } = await handedOut()
      await bench.store.failEvent(second, null, clock.now())
      expect(await claim(clock)).toEqual([])
      clock.advance(3600 * SECOND)
      expect(ids(await claim(clock))).toEqual([first.id, third.id])
    })

    it('is listed with the others that were parked, oldest first', async () => {
      const clock = stoppedClock()
      const parked: string[] = []
      for (const key of await Promise.all(times(3, newAccount))) {
        const [event] = await tell(key, clock.now())
        await claim(clock)
        if (event !== undefined) await bench.store.failEvent(event, null, clock.now())
        parked.push(event?.id ?? '')
        clock.advance(SECOND)
      }
      expect(ids(await bench.store.listParkedEvents(10))).toEqual(parked)
      expect(ids(await bench.store.listParkedEvents(2))).toEqual(parked.slice(0, 2))
      expect(await claim({ now: () => later(clock, DAY) })).toEqual([])
    })

    it('that was told meanwhile stays told', async () => {
      const { clock, first, second, third } = await handedOut()
      await bench.store.settleEvent(first)
      await bench.store.failEvent(first, 1, clock.now())
      clock.advance(DAY)
      expect(ids(await claim(clock))).toEqual([second.id, third.id])
    })
  })

  describe('a decision about an account that leaves it alone', () => {
    it('tells nothing', async () => {
      const [clock, key] = [stoppedClock(), await newAccount()]
      await run(bench.store, newCommand([key], { now: clock.now() }), () => NOTHING)
      expect(await claim(clock)).toEqual([])
    })
  })
}

function ofUser(events: readonly ClaimedEvent[], userId: string): ClaimedEvent[] {
  return events.filter((event) => event.userId === userId)
}
