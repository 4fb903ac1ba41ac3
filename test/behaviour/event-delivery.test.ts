import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { type CreditEvent, UnavailableError } from '../../src/index.js'
import { EVENT_KINDS } from '../../src/ledger/event.js'
import { SECOND, times } from '../conformance/credit-store/bench.js'
import { gate, listen } from './listening.js'
import { overriding } from './overriding.js'
import { HOUR, MINUTE, onEveryStore, openStage } from './stage.js'

const call = { creditType: 'calling', description: 'Call' } as const

function transactionOf(event: CreditEvent): string | null {
  return 'transactionId' in event ? event.transactionId : null
}

onEveryStore('the delivery of events', (open) => {
  it('begins after the commit: what an event tells of can be read', async () => {
    const { userId, ...stage } = open()
    const found: unknown[] = []
    const listener = listen(stage, ['added', 'deducted'], {
      respond: async (event) => {
        const transaction = await stage.store.findTransaction(transactionOf(event) ?? '')
        found.push([event.kind, transaction?.amount])
      },
    })
    await listener.credits.addCredits({ ...call, userId, amount: 10 })
    await listener.credits.deductCredits({ ...call, userId, amount: 3 })
    await listener.finished()
    expect(found).toEqual([
      ['added', 10],
      ['deducted', -3],
    ])
  })

  it('tells the events of one account in their order, each once, by whichever of two services', async () => {
    const { userId, ...stage } = open()
    const told: CreditEvent[] = []
    const respond = (event: CreditEvent) => {
      if (event.userId === userId) told.push(event)
    }
    const listeners = times(2, () => listen(stage, ['deducted'], { respond }))
    const [first, second] = listeners.map(({ credits }) => credits)
    if (first === undefined || second === undefined) throw new Error('there are two')
    await first.addCredits({ ...call, userId, amount: 100 })
    await Promise.all(
      times(40, (index) => (index % 2 === 0 ? first : second).deductCredits({ ...call, userId, amount: 1 })),
    )
    await Promise.all(listeners.map(({ finished }) => finished()))
    await first.runDue()
    const uses = (await first.getTransactionHistory(userId, 'calling', 200)).filter(({ amount }) => amount === -1)
    expect(told.map(transactionOf)).toEqual(uses.reverse().map(({ id }) => id))
  })

  it('tells all events of many accounts without anybody running runDue', async () => {
    const stage = open()
    const listener = listen(stage, ['added'])
    const users = times(60, () => stage.newUser())
    await Promise.all(users.map((userId) => listener.credits.addCredits({ ...call, userId, amount: 1 })))
    await listener.finished()
    expect(users.map((userId) => listener.of(userId).length)).toEqual(times(60, () => 1))
  })

  it('tells an event that comes while the one before it is being told, however late the store answers', async () => {
    const { userId, store, ...stage } = open()
    const [callback, settled] = [gate(), gate()]
    let isLate = false
    const late = overriding(store, {
      claimEvents: async (query) => {
        const page = await store.claimEvents(query)
        if (!isLate) return page
        // Found nothing, since the account is being told; by the time it says so, that is over.
        isLate = false
        callback.open()
        await settled.opened
        await new Promise((resolve) => setTimeout(resolve, 5))
        return page
      },
      settleEvent: async (event) => {
        await store.settleEvent(event)
        settled.open()
      },
    })
    const listener = listen(stage, ['added'], { store: late, respond: () => callback.opened })
    await listener.credits.addCredits({ ...call, userId, amount: 1 })
    await vi.waitUntil(() => listener.of(userId).length === 1)
    isLate = true
    await listener.credits.addCredits({ ...call, userId, amount: 2 })
    await listener.finished()
    expect(listener.of(userId)).toMatchObject([{ amount: 1 }, { amount: 2 }])
  })

  it('is handed to waitUntil, and is over when the callback is', async () => {
    const { userId, ...stage } = open()
    const { opened, open: finish } = gate()
    let isOver = false
    const listener = listen(stage, ['added'], {
      respond: async () => {
        await opened
        isOver = true
      },
    })
    await listener.credits.addCredits({ ...call, userId, amount: 1 })
    expect(listener.work).toHaveLength(1)
    finish()
    await listener.finished()
    expect(isOver).toBe(true)
  })

  it('goes on when waitUntil throws, and the write has happened', async () => {
    const { userId, ...stage } = open()
    const waitUntil = (): never => {
      throw new Error('`after` was called outside a request scope')
    }
    const listener = listen(stage, ['added'], { waitUntil })
    expect(await listener.credits.addCredits({ ...call, userId, amount: 1 })).toMatchObject({ amount: 1 })
    await vi.waitUntil(() => listener.of(userId).length === 1)
    expect(listener.warnings).toEqual(['waitUntil failed; events are told all the same, while the process lives'])
  })

  it('is waited for when the service is closed', async () => {
    const { userId, store, ...stage } = open()
    const { opened, open: finish } = gate()
    // The store stays open for the other tests.
    const kept = overriding(store, { close: async () => undefined })
    const listener = listen(stage, ['added'], { store: kept, respond: () => opened })
    await listener.credits.addCredits({ ...call, userId, amount: 1 })
    let isClosed = false
    const closed = listener.credits.close().then(() => {
      isClosed = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(isClosed).toBe(false)
    finish()
    await closed
    const next = listen(stage, ['added'])
    await next.credits.runDue()
    expect([listener.of(userId).length, next.of(userId).length]).toEqual([1, 0])
  })

  it('fails when a callback throws or rejects: it is tried again after 2, 4 and 8 seconds, the event unchanged', async () => {
    for (const fail of [
      () => {
        throw new Error('no')
      },
      () => Promise.reject(new Error('no')),
    ]) {
      const { userId, clock, ...stage } = open()
      const listener = listen(stage, ['added'], { respond: (event) => (event.userId === userId ? fail() : null) })
      await listener.credits.addCredits({ ...call, userId, amount: 1 })
      await listener.finished()
      for (const [attempts, seconds] of [
        [1, 2],
        [2, 4],
        [3, 8],
      ] as const) {
        clock.advance(seconds * SECOND - 1)
        await listener.credits.runDue()
        expect(listener.of(userId)).toHaveLength(attempts)
        clock.advance(1)
        expect((await listener.credits.runDue()).events.failed).toBe(1)
        expect(listener.of(userId)).toHaveLength(attempts + 1)
      }
      expect(new Set(listener.of(userId).map((event) => JSON.stringify(event))).size).toBe(1)
      expect(listener.warnings).toEqual(times(4, () => 'an event callback failed'))
      expect(await listener.credits.getBalance(userId, 'calling')).toBe(1)
      const calm = listen(stage, ['added'])
      clock.advance(HOUR)
      await calm.credits.runDue()
      expect(calm.of(userId)).toHaveLength(1)
    }
  })

  it('that failed keeps the later events of its account waiting, and nobody else’s', async () => {
    const { userId, clock, ...stage } = open()
    const other = stage.newUser()
    let isBroken = true
    const listener = listen(stage, ['added'], {
      respond: (event) => {
        if (isBroken && event.userId === userId) throw new Error('no')
      },
    })
    const { credits } = listener
    for (const amount of [1, 2]) await credits.addCredits({ ...call, userId, amount })
    await credits.addCredits({ ...call, userId: other, amount: 3 })
    await credits.addCredits({ userId, amount: 4, creditType: 'scraping', description: 'Another account' })
    await listener.finished()
    expect(listener.of(userId).filter(({ creditType }) => creditType === 'calling')).toMatchObject([{ amount: 1 }])
    expect(listener.of(other)).toMatchObject([{ amount: 3 }])
    isBroken = false
    clock.advance(MINUTE)
    await credits.runDue()
    const told = listener.of(userId).filter(({ creditType }) => creditType === 'calling')
    expect(told).toMatchObject([{ amount: 1 }, { amount: 1 }, { amount: 2 }])
  })

  it('is given up after ten failures: the event is parked, and its account goes on', async () => {
    const { userId, clock, ...stage } = open()
    const listener = listen(stage, ['added', 'deducted'], {
      respond: (event) => {
        if (event.kind === 'added') throw new Error('no')
      },
    })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 10 })
    await credits.deductCredits({ ...call, userId, amount: 1 })
    await listener.finished()
    for (let attempts = 1; attempts < 10; attempts += 1) {
      expect(listener.kinds(userId)).toEqual(times(attempts, () => 'added'))
      clock.advance(HOUR)
      await credits.runDue()
    }
    expect(listener.kinds(userId)).toEqual([...times(10, () => 'added'), 'deducted'])
    const parked = (await stage.store.listParkedEvents(100)).filter((event) => event.userId === userId)
    expect(parked).toMatchObject([{ kind: 'added', failures: 10, payload: { amount: 10, balance: 10 } }])
    clock.advance(24 * HOUR)
    await credits.runDue()
    expect(listener.of(userId)).toHaveLength(11)
  })

  it('that was cut off by the death of its process is made up for, when its lease has run out', async () => {
    const { userId, clock, store, ...stage } = open()
    const listener = listen(stage, ['added'])
    // The process that made the event never gets to tell it: somebody else has it, and then dies.
    const dying = stage.service({
      on: { added: () => null },
      store: overriding(store, { claimEvents: async () => [] }),
    })
    await dying.addCredits({ ...call, userId, amount: 1 })
    await store.claimEvents({ limit: 200, kinds: EVENT_KINDS, leaseSeconds: 60, now: clock.now() })
    clock.advance(MINUTE - 1)
    await listener.credits.runDue()
    expect(listener.of(userId)).toEqual([])
    clock.advance(1)
    await listener.credits.runDue()
    expect(listener.of(userId)).toMatchObject([{ kind: 'added', amount: 1 }])
  })

  it('that could not be noted tells the event again, under the same id', async () => {
    const { userId, clock, store, ...stage } = open()
    let isDown = true
    const failing = overriding(store, {
      settleEvent: async (event) => {
        if (isDown) throw new UnavailableError('Failed on purpose')
        await store.settleEvent(event)
      },
    })
    const listener = listen(stage, ['added'], { store: failing })
    await listener.credits.addCredits({ ...call, userId, amount: 1 })
    await listener.finished()
    expect(listener.warnings).toHaveLength(1)
    isDown = false
    clock.advance(HOUR)
    await listener.credits.runDue()
    await listener.credits.runDue()
    const [first, ...rest] = listener.of(userId)
    expect(rest).toEqual([first])
  })

  it('waits for the process that listens, however often another one comes across the event', async () => {
    const { userId, clock, store, ...stage } = open()
    const listener = listen(stage, ['added'])
    const dying = stage.service({
      on: { added: () => null },
      store: overriding(store, { claimEvents: async () => [] }),
    })
    await dying.addCredits({ ...call, userId, amount: 1 })
    const other = listen(stage, ['deducted'])
    for (let runs = 0; runs < 12; runs += 1) {
      await other.credits.runDue()
      clock.advance(2 * HOUR)
    }
    await listener.credits.runDue()
    expect([other.of(userId).length, listener.of(userId).length]).toEqual([0, 1])
  })
})

describe('a slow callback', () => {
  it('delays no write', async () => {
    const { userId, ...stage } = openStage(memoryStore())
    const { opened, open: finish } = gate()
    const listener = listen(stage, ['added', 'deducted'], { respond: () => opened })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 10 })
    for (let uses = 0; uses < 5; uses += 1) await credits.deductCredits({ ...call, userId, amount: 1 })
    expect(await credits.getBalance(userId, 'calling')).toBe(5)
    expect(listener.of(userId)).toHaveLength(1)
    finish()
    await listener.finished()
    expect(listener.of(userId)).toHaveLength(6)
  })

  it('delays no other account: its events are told meanwhile', async () => {
    const { userId, ...stage } = openStage(memoryStore())
    const { opened, open: finish } = gate()
    const heard = new Map<string, () => void>()
    const listener = listen(stage, ['added'], {
      respond: (event) => {
        heard.get(event.userId)?.()
        return event.userId === userId ? opened : null
      },
    })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 1 })
    const other = stage.newUser()
    const told = new Promise<void>((resolve) => heard.set(other, resolve))
    await credits.addCredits({ ...call, userId: other, amount: 3 })
    // Hangs, and with it the test, if the other account has to wait for the slow one.
    await told
    expect(listener.of(other)).toMatchObject([{ amount: 3 }])
    finish()
    await listener.finished()
  }, 5000)

  it('that never ends counts as failed after 30 seconds, and is called again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { userId, clock, ...stage } = openStage(memoryStore())
      const never = new Promise<void>(() => undefined)
      let calls = 0
      const listener = listen(stage, ['added'], { respond: () => ((calls += 1) === 1 ? never : null) })
      await listener.credits.addCredits({ ...call, userId, amount: 1 })
      await vi.advanceTimersByTimeAsync(29_999)
      expect(listener.warnings).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      await listener.finished()
      expect(listener.warnings).toEqual(['an event callback failed'])
      clock.advance(MINUTE)
      await listener.credits.runDue()
      expect(calls).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })
})
