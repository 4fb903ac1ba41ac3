import { expect, it } from 'vitest'
import type { Logger } from '../../src/index.js'
import type { Command } from '../../src/ports/store.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { type Fault, failingStore, operationOf } from './failing-store.js'
import { ledgerOf, MINUTE, onEveryStore, type OpenStage, openStage } from './stage.js'

const input = (userId: string) =>
  ({ userId, amount: 60, creditType: 'calling', description: 'Transcribe', expiresInSeconds: 600 }) as const

/** A user with 100 credits, and a service whose writes fail when the test says so; `sound` is one whose do not. */
async function failing(open: OpenStage, faultOf: (command: Command) => Fault) {
  const { store, credits: sound, userId, clock } = open()
  const told: string[] = []
  const listen = (level: string) => (_details: object, message: string) => void told.push(`${level}: ${message}`)
  const logger: Logger = { debug: listen('debug'), info: listen('info'), warn: listen('warn'), error: listen('error') }
  await sound.addCredits(userId, 100, 'calling', 'Welcome')
  const figures = async () => (await sound.getAllBalances(userId)).calling
  /** What was held whenever a write failed. */
  const heldAtFaults: number[] = []
  const broken = failingStore(store, async (command) => {
    const fault = faultOf(command)
    if (fault !== null) heldAtFaults.push((await figures()).held)
    return fault
  })
  const credits = openStage(broken).service({ clock, logger })
  return { store, credits, sound, userId, clock, told, figures, heldAtFaults }
}

/** Fails the next so many commands of one kind. */
function failNext(times: number, fault: Fault, isMeant: (command: Command) => boolean) {
  let left = times
  return (command: Command): Fault => {
    if (left === 0 || !isMeant(command)) return null
    left -= 1
    return fault
  }
}

const isCapture = (command: Command): boolean => operationOf(command) === 'capture'
const isRelease = (command: Command): boolean => operationOf(command) === 'release'

onEveryStore('work with a hold, and a database that fails', (open) => {
  it('E8 the work succeeded, the capture failed transiently: the hold is not released, and the retry settles', async () => {
    const { credits, sound, userId, figures, heldAtFaults, told } = await failing(
      open,
      failNext(2, 'before', isCapture),
    )
    let runs = 0
    const { result, transaction, uncovered } = await credits.withHold(input(userId), (held) => {
      runs += 1
      held.setCost(42)
      return 'text'
    })
    expect([result, transaction?.amount, uncovered, runs]).toEqual(['text', -42, 0, 1])
    expect(heldAtFaults).toEqual([60, 60])
    expect(await figures()).toMatchObject({ balance: 58, owned: 58, held: 0 })
    expect(told).toEqual([])
    await expectSound(sound, userId)
  })

  it('E8 the capture happened but its answer was lost, twice: charged once', async () => {
    const { credits, sound, userId, figures } = await failing(open, failNext(2, 'after', isCapture))
    const { transaction } = await credits.withHold(input(userId), (held) => held.setCost(42))
    expect(transaction).toMatchObject({ transactionType: 'usage', amount: -42 })
    expect(await ledgerOf(sound, userId)).toEqual(['adjustment 100', 'usage -42'])
    expect(await figures()).toMatchObject({ balance: 58, held: 0 })
    await expectSound(sound, userId)
  })

  it('E8 the capture keeps failing: the error comes out, it is reported, and the hold is kept for a capture by hand', async () => {
    const { credits, sound, userId, figures, told } = await failing(open, failNext(100, 'before', isCapture))
    let holdId = ''
    const failed = credits.withHold(input(userId), (held) => {
      holdId = held.hold.id
    })
    await expect(failed).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(told).toEqual(['error: work was done, but its hold could not be captured; it is kept'])
    expect(await figures()).toMatchObject({ balance: 40, owned: 100, held: 60 })
    expect(await sound.captureHold({ holdId, amount: 42 })).toMatchObject({ amount: -42 })
    expect(await figures()).toMatchObject({ balance: 58, held: 0 })
    await expectSound(sound, userId)
  })

  it('E8 repeated with its key after the capture failed for good: the work runs again, and is charged once', async () => {
    const { credits, sound, userId, figures } = await failing(open, failNext(4, 'before', isCapture))
    let runs = 0
    const given = { ...input(userId), idempotencyKey: 'job' }
    const work = () => (runs += 1)
    await expect(credits.withHold(given, work)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const { transaction } = await credits.withHold(given, work)
    expect([transaction?.amount, runs]).toEqual([-60, 2])
    expect(await ledgerOf(sound, userId)).toEqual(['adjustment 100', 'usage -60'])
    expect(await figures()).toMatchObject({ balance: 40, held: 0 })
    await expectSound(sound, userId)
  })

  it('throws the error of the work also when the release fails; the hold ends by its timeout', async () => {
    const { credits, sound, userId, clock, figures, told } = await failing(open, failNext(100, 'before', isRelease))
    const failure = new RangeError('no such file')
    await expect(credits.withHold(input(userId), () => Promise.reject(failure))).rejects.toBe(failure)
    expect(told).toEqual(['warn: a hold could not be released; it ends by its timeout'])
    expect(await figures()).toMatchObject({ balance: 40, held: 60 })
    clock.advance(10 * MINUTE)
    expect(await figures()).toMatchObject({ balance: 100, held: 0 })
    await expectSound(sound, userId)
  })

  it('releases again when the first release fails transiently', async () => {
    const { credits, userId, figures, told } = await failing(open, failNext(2, 'before', isRelease))
    await expect(credits.withHold(input(userId), () => Promise.reject(new RangeError('no')))).rejects.toThrow('no')
    expect(await figures()).toMatchObject({ balance: 100, held: 0 })
    expect(told).toEqual([])
  })

  it('charges work that outlived its timeout once, when the answer to that is lost', async () => {
    const late = (command: Command): boolean =>
      command.key?.startsWith('creditkit:charge:') === true && !isCapture(command)
    const { credits, sound, userId, clock, figures } = await failing(open, failNext(2, 'after', late))
    const { transaction, uncovered } = await credits.withHold(input(userId), (held) => {
      clock.advance(10 * MINUTE)
      held.setCost(70)
    })
    expect([transaction?.amount, uncovered]).toEqual([-70, 0])
    expect(await ledgerOf(sound, userId)).toEqual(['adjustment 100', 'usage -70'])
    expect(await figures()).toMatchObject({ balance: 30, held: 0 })
    await expectSound(sound, userId)
  })

  it('tells what went uncovered also when the answers of the captures are lost', async () => {
    const { credits, sound, userId, figures } = await failing(open, failNext(2, 'after', isCapture))
    const { transaction, uncovered } = await credits.withHold(input(userId), (held) => held.setCost(130))
    expect([transaction?.amount, uncovered]).toEqual([-60, 70])
    expect(await ledgerOf(sound, userId)).toEqual(['adjustment 100', 'usage -60'])
    expect(await figures()).toMatchObject({ balance: 40, held: 0 })
    await expectSound(sound, userId)
  })
})
