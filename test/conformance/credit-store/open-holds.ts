import { describe, expect, it } from 'vitest'
import { addCredits } from '../../../src/ledger/add.js'
import { captureHold, type Hold, holdCredits, releaseHold } from '../../../src/ledger/hold.js'
import { addition, type Bench, change, DAY, details, named, SECOND, stoppedClock } from './bench.js'

export function testOpenHolds(bench: Bench): void {
  /** A user with 100 credits of two types, on a clock of their own. */
  async function open() {
    const [clock, userId] = [stoppedClock(), await bench.newUser()]
    for (const creditType of ['calling', 'scraping'])
      await change(bench.store, { userId, creditType }, clock.now(), (posting) => addCredits(posting, addition(100)))
    return {
      clock,
      userId,
      hold: (seconds: number, creditType = 'calling') => holdAt({ userId, creditType }, clock.now(), seconds),
      list: (creditType: string | null = null) => bench.store.listHolds({ userId, creditType }, clock.now()),
      end: async ({ id, creditType }: Hold, how: 'capture' | 'keep' | 'release') => {
        const { holds } = await change(
          bench.store,
          { userId, creditType },
          clock.now(),
          (posting) => {
            const hold = named(posting.holds, id)
            if (how === 'release') releaseHold(posting, hold)
            else captureHold(posting, hold, { amount: 1, final: how === 'capture', allowOver: false }, details())
          },
          { load: { holds: [id] } },
        )
        return named(holds, id)
      },
    }
  }

  async function holdAt(key: { userId: string; creditType: string }, now: Date | null, seconds: number): Promise<Hold> {
    const { idempotencyKey: _none, ...plain } = details()
    const { holds } = await change(bench.store, key, now, (posting) =>
      holdCredits(posting, { ...plain, amount: 5, expiresInSeconds: seconds }),
    )
    return named(holds, plain.id)
  }

  describe('listing holds', () => {
    it('gives the open ones whole, soonest to end first, of one credit type or of all', async () => {
      const { hold, list } = await open()
      const [late, soon, between] = [await hold(900), await hold(60), await hold(300, 'scraping')]
      expect(await list()).toEqual([soon, between, late])
      expect(await list('calling')).toEqual([soon, late])
      expect(await list('scraping')).toEqual([between])
      expect(await list('enrichment')).toEqual([])
    })

    it('gives those that end at the same moment by id', async () => {
      const { hold, list } = await open()
      const holds = [await hold(60), await hold(60, 'scraping'), await hold(60)]
      expect(await list()).toEqual(holds.sort((a, b) => (a.id < b.id ? -1 : 1)))
    })

    it('leaves out what was captured or released, and keeps what was captured in part', async () => {
      const { hold, list, end } = await open()
      const [captured, released, kept] = [await hold(60), await hold(60), await hold(60)]
      await end(captured, 'capture')
      await end(released, 'release')
      const stillOpen = await end(kept, 'keep')
      expect(stillOpen).toMatchObject({ status: 'open', captured: 1 })
      expect(await list()).toEqual([stillOpen])
    })

    it('leaves out a hold from the moment on at which its time has run out, though nobody has written so', async () => {
      const { clock, hold, list } = await open()
      const [soon, late] = [await hold(60), await hold(61)]
      clock.advance(60 * SECOND - 1)
      expect(await list()).toEqual([soon, late])
      clock.advance(1)
      expect(await list()).toEqual([late])
    })

    it("judges by the store's own clock where none is given", async () => {
      const key = { userId: await bench.newUser(), creditType: 'calling' }
      await change(bench.store, key, null, (posting) => addCredits(posting, addition(100)))
      await holdAt(key, new Date(Date.now() - 2 * DAY), 86_400)
      const running = await holdAt(key, null, 86_400)
      expect(await bench.store.listHolds({ userId: key.userId, creditType: null }, null)).toEqual([running])
    })

    it('gives nobody the holds of somebody else', async () => {
      const [{ hold }, other] = [await open(), await open()]
      await hold(60)
      expect(await other.list()).toEqual([])
    })
  })
}
