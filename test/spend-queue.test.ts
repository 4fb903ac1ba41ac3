import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../src/errors.js'
import type { SpendCommand, SpendOutcome } from '../src/ports/store.js'
import { type Decided, type SendSpends, SpendOneByOne, SpendQueue } from '../src/spend-queue.js'

/** One statement that the queue sent, to be answered by hand. */
interface Sent {
  ids: string[]
  wait: boolean
  /** Every call gets this outcome; `of`: these get another one. */
  answer: (status: 'applied' | 'undecided' | 'busy' | 'insufficient', of?: Record<string, Status>) => Promise<void>
  fail: (error: Error) => Promise<void>
}

type Status = 'applied' | 'undecided' | 'busy' | 'insufficient'

const OUTCOMES: Record<Status, SpendOutcome> = {
  applied: { status: 'applied', seq: 1, balanceAfter: 1, grantId: 'grant', version: 1, at: new Date(0) },
  undecided: { status: 'undecided' },
  busy: { status: 'busy' },
  insufficient: { status: 'insufficient', available: 0 },
}

/** Everything that can go on has gone on. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

function fakeStore(): { send: SendSpends; sent: Sent[] } {
  const sent: Sent[] = []
  const send: SendSpends = (commands, wait) =>
    new Promise((resolve, reject) => {
      const ids = commands.map(({ id }) => id)
      sent.push({
        ids,
        wait,
        answer: (status, of = {}) => {
          resolve(ids.map((id) => OUTCOMES[of[id] ?? status]))
          return quiet()
        },
        fail: (error) => {
          reject(error)
          return quiet()
        },
      })
    })
  return { send, sent }
}

/** A call, named by its account and a number: `ann 1`. */
function callOf(id: string, key: string | null = null): SpendCommand {
  const [userId = ''] = id.split(' ')
  const texts = { description: id, referenceId: null, referenceType: null, metadata: null, actor: null }
  const none = { kept: null, hold: null, alerts: null, request: [] }
  return { id, userId, creditType: 'calling', key, amount: 1, ...texts, ...none }
}

/** A queue on a fake store, and what its callers were told, in order. */
function open(make: (send: SendSpends) => SpendQueue | SpendOneByOne = (send) => new SpendQueue(send)) {
  const { send, sent } = fakeStore()
  const queue = make(send)
  const told: string[] = []
  /** Calls of the general path that have begun, and what ends them. */
  const general = new Map<string, { done: () => Promise<void>; fail: (error: Error) => Promise<void> }>()
  const ask = (id: string, key: string | null = null): Promise<void> => {
    const inGeneral = () =>
      new Promise<string>((resolve, reject) => {
        const after = (settle: () => void) => () => {
          settle()
          return quiet()
        }
        general.set(id, { done: after(() => resolve(id)), fail: (error) => after(() => reject(error))() })
      })
    const tell = (outcome: Decided<string>): void => {
      told.push(`${id}: ${outcome.status}`)
      if (outcome.status === 'general') expect(outcome.result).toBe(id)
    }
    return queue.decide(callOf(id, key), inGeneral).then(tell, (error: unknown) => {
      told.push(`${id}: ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}`)
    })
  }
  const next = (): Sent => {
    const statement = sent.shift()
    if (statement === undefined) throw new Error('the queue has sent nothing more')
    return statement
  }
  return { sent, told, general, ask, next }
}

/** The same, with so many statements over several accounts on their way that nothing else can leave. */
async function busyQueue() {
  const opened = open()
  for (const id of ['full 1', 'fuller 1', 'fullest 1']) {
    void opened.ask(id)
    await quiet()
  }
  const running = [opened.next(), opened.next(), opened.next()]
  expect(opened.sent).toEqual([])
  return {
    ...opened,
    /** Answer what was on its way. */
    release: async () => {
      for (const { answer } of running) await answer('applied')
      opened.told.splice(0)
    },
  }
}

describe('the queue of deductions and holds', () => {
  it('sends what comes in one turn together, without waiting for more', async () => {
    const { ask, next, sent, told } = open()
    for (const id of ['ann 1', 'bob 1', 'ann 2', 'cleo 1', 'bob 2']) void ask(id)
    expect(sent).toEqual([])
    await quiet()
    const statement = next()
    expect(statement).toMatchObject({ ids: ['ann 1', 'ann 2', 'bob 1', 'bob 2', 'cleo 1'], wait: false })
    expect(sent).toEqual([])
    await statement.answer('applied')
    expect(told.sort()).toEqual([
      'ann 1: applied',
      'ann 2: applied',
      'bob 1: applied',
      'bob 2: applied',
      'cleo 1: applied',
    ])
  })

  it('lets a lone account wait in the database for whoever holds it', async () => {
    const { ask, next } = open()
    void ask('ann 1')
    void ask('ann 2')
    await quiet()
    expect(next()).toMatchObject({ ids: ['ann 1', 'ann 2'], wait: true })
  })

  it('has at most one statement of an account on its way, and keeps the order of its calls', async () => {
    const { ask, next, sent, told } = open()
    void ask('ann 1')
    await quiet()
    for (const id of ['ann 2', 'ann 3', 'ann 4']) {
      void ask(id)
      await quiet()
    }
    expect(sent).toHaveLength(1)
    await next().answer('applied')
    const second = next()
    expect(second.ids).toEqual(['ann 2', 'ann 3', 'ann 4'])
    void ask('ann 5')
    await quiet()
    expect(sent).toEqual([])
    await second.answer('applied')
    await next().answer('applied')
    expect(told).toEqual(['ann 1', 'ann 2', 'ann 3', 'ann 4', 'ann 5'].map((id) => `${id}: applied`))
  })

  it('has several statements of different accounts on their way, and a few at most', async () => {
    const { ask, sent, told } = await busyQueue()
    for (const id of ['ann 1', 'bob 1', 'cleo 1']) {
      void ask(id)
      await quiet()
    }
    expect(sent).toEqual([])
    expect(told).toEqual([])
  })

  it('sends those who waited for a slot together, as soon as there is one', async () => {
    const { ask, next, sent, release } = await busyQueue()
    for (const id of ['ann 1', 'bob 1', 'ann 2']) {
      void ask(id)
      await quiet()
    }
    await release()
    expect(next().ids).toEqual(['ann 1', 'ann 2', 'bob 1'])
    expect(sent).toEqual([])
  })

  it('divides a long queue, so that the first do not wait for the last', async () => {
    const { ask, sent, release } = await busyQueue()
    for (let index = 0; index < 600; index += 1) void ask(`user${index} 1`)
    await quiet()
    await release()
    const [first] = sent
    expect(first?.ids[0]).toBe('user0 1')
    expect(first?.ids.length).toBeLessThan(600)
    // Everybody is sent once, in the order of their coming.
    const ids: string[] = []
    for (let statement = sent.shift(); statement !== undefined; statement = sent.shift()) {
      ids.push(...statement.ids)
      await statement.answer('applied')
    }
    expect(ids).toEqual(Array.from({ length: 600 }, (_, index) => `user${index} 1`))
  })

  it('keeps a key that comes twice for the next statement, with all that stand behind it', async () => {
    const { ask, next, told } = open()
    void ask('ann 1', 'k')
    void ask('ann 2')
    void ask('ann 3', 'k')
    void ask('ann 4')
    // Keys belong to users.
    void ask('bob 1', 'k')
    await quiet()
    const first = next()
    expect(first.ids).toEqual(['ann 1', 'ann 2', 'bob 1'])
    await first.answer('applied')
    const second = next()
    expect(second.ids).toEqual(['ann 3', 'ann 4'])
    await second.answer('applied')
    expect(told.filter((text) => text.startsWith('ann'))).toEqual([1, 2, 3, 4].map((n) => `ann ${n}: applied`))
  })

  it('sends the calls of a busy account again by themselves, to wait there, and in their order', async () => {
    const { ask, next, sent, told } = open()
    for (const id of ['ann 1', 'bob 1', 'ann 2', 'cleo 1']) void ask(id)
    await quiet()
    await next().answer('applied', { 'ann 1': 'busy', 'ann 2': 'busy' })
    expect(told.sort()).toEqual(['bob 1: applied', 'cleo 1: applied'])
    const alone = next()
    expect(alone).toMatchObject({ ids: ['ann 1', 'ann 2'], wait: true })
    // The others go on meanwhile.
    void ask('bob 2')
    void ask('ann 3')
    await quiet()
    const others = next()
    expect(others).toMatchObject({ ids: ['bob 2'], wait: false })
    expect(sent).toEqual([])
    await alone.answer('applied')
    expect(next().ids).toEqual(['ann 3'])
  })

  it('keeps no more than a few connections waiting for busy accounts', async () => {
    const { ask, next, sent } = open()
    const users = Array.from({ length: 12 }, (_, index) => `user${index} 1`)
    for (const id of users) void ask(id)
    await quiet()
    await next().answer('busy')
    expect(sent.length).toBeGreaterThan(1)
    expect(sent.length).toBeLessThan(users.length)
    expect(sent.every(({ wait, ids }) => wait && ids.length === 1)).toBe(true)
    const again: string[] = []
    for (let statement = sent.shift(); statement !== undefined; statement = sent.shift()) {
      again.push(...statement.ids)
      await statement.answer('applied')
    }
    expect(again).toEqual(users)
  })

  it('decides the first that the row can not tell in general, in its place: those behind it wait', async () => {
    const { ask, next, sent, told, general } = open()
    for (const id of ['ann 1', 'ann 2', 'ann 3', 'ann 4', 'bob 1', 'bob 2']) void ask(id)
    await quiet()
    await next().answer('undecided', { 'ann 1': 'applied', 'bob 1': 'applied', 'bob 2': 'insufficient' })
    expect(told.sort()).toEqual(['ann 1: applied', 'bob 1: applied', 'bob 2: insufficient'])
    expect([...general.keys()]).toEqual(['ann 2'])
    expect(sent).toEqual([])
    void ask('bob 3')
    await quiet()
    expect(next().ids).toEqual(['bob 3'])
    told.splice(0)
    await general.get('ann 2')?.done()
    expect(told).toEqual(['ann 2: general'])
    // Not in general, too: the row may tell again.
    expect(next().ids).toEqual(['ann 3', 'ann 4'])
    expect([...general.keys()]).toEqual(['ann 2'])
  })

  it('puts those that the row could not tell before those that came meanwhile', async () => {
    const { ask, next, general } = open()
    for (const id of ['ann 1', 'ann 2', 'ann 3']) void ask(id)
    await quiet()
    const first = next()
    void ask('ann 4')
    await quiet()
    await first.answer('undecided')
    await general.get('ann 1')?.done()
    expect(next().ids).toEqual(['ann 2', 'ann 3', 'ann 4'])
  })

  it('lets a call that fails in general fail alone', async () => {
    const { ask, next, told, general } = open()
    for (const id of ['ann 1', 'ann 2']) void ask(id)
    await quiet()
    await next().answer('undecided')
    await general.get('ann 1')?.fail(new UnavailableError('busy'))
    await next().answer('applied')
    expect(told).toEqual(['ann 1: UNAVAILABLE', 'ann 2: applied'])
  })

  it('refuses everybody of a statement that surely wrote nothing, and nobody else', async () => {
    const { ask, next, told, general } = open()
    for (const id of ['ann 1', 'bob 1', 'ann 2']) void ask(id)
    await quiet()
    void ask('ann 3')
    await next().fail(new UnavailableError('gone'))
    expect(told.sort()).toEqual(['ann 1: UNAVAILABLE', 'ann 2: UNAVAILABLE', 'bob 1: UNAVAILABLE'])
    expect(general.size).toBe(0)
    expect(next().ids).toEqual(['ann 3'])
  })

  it('finds out about each call of a statement whose answer was lost, in the order of its account', async () => {
    const { ask, next, sent, told, general } = open()
    for (const id of ['ann 1', 'ann 2', 'bob 1', 'ann 3']) void ask(id)
    await quiet()
    void ask('ann 4')
    await next().fail(new OutcomeUnknownError('lost'))
    expect([...general.keys()]).toEqual(['ann 1', 'bob 1'])
    await general.get('ann 1')?.done()
    // What is not found, was not covered, or could not be asked: it may have been written all the same.
    await general.get('ann 2')?.fail(new UnavailableError('gone'))
    await general.get('bob 1')?.fail(new Error('refused'))
    expect(sent).toEqual([])
    await general.get('ann 3')?.done()
    expect(told.sort()).toEqual([
      'ann 1: general',
      'ann 2: OUTCOME_UNKNOWN',
      'ann 3: general',
      'bob 1: OUTCOME_UNKNOWN',
    ])
    expect(next().ids).toEqual(['ann 4'])
  })

  it('decides each call by itself where the statement failed for one of them, and each has its own error', async () => {
    const { ask, next, told, general } = open()
    for (const id of ['ann 1', 'bob 1', 'cleo 1']) void ask(id)
    await quiet()
    await next().fail(new Error('unsupported character'))
    expect([...general.keys()]).toEqual(['ann 1', 'bob 1', 'cleo 1'])
    await general.get('ann 1')?.done()
    await general.get('bob 1')?.fail(new Error('unsupported character'))
    await general.get('cleo 1')?.done()
    expect(told).toEqual(['ann 1: general', 'bob 1: Error: unsupported character', 'cleo 1: general'])
  })

  it('leaves connections to others, however many calls go the general path', async () => {
    const { ask, next, general } = open()
    const users = Array.from({ length: 16 }, (_, index) => `user${index} 1`)
    for (const id of users) void ask(id)
    await quiet()
    await next().answer('undecided')
    expect(general.size).toBeGreaterThan(1)
    expect(general.size).toBeLessThan(10)
    for (const id of users) await general.get(id)?.done()
    expect([...general.keys()]).toEqual(users)
  })

  it('refuses more calls than a database could answer soon, and sends nothing of them', async () => {
    const { ask, next, sent, told } = open()
    for (let index = 0; index < 10_000; index += 1) void ask(`ann ${index}`)
    await quiet()
    await ask('bob 1')
    await ask('ann 10000')
    expect(told).toEqual(['bob 1: UNAVAILABLE', 'ann 10000: UNAVAILABLE'])
    await next().answer('applied')
    // There is room again.
    void ask('bob 2')
    for (let statement = sent.shift(); statement !== undefined; statement = sent.shift())
      await statement.answer('applied')
    expect(told.filter((text) => text.startsWith('bob'))).toEqual(['bob 1: UNAVAILABLE', 'bob 2: applied'])
    expect(told).toHaveLength(10_003)
  })
})

describe('deductions and holds one by one', () => {
  it('are statements of their own, which wait for their accounts, in no order', async () => {
    const { ask, next, sent, told } = open((send) => new SpendOneByOne(send))
    for (const id of ['ann 1', 'ann 2', 'bob 1']) void ask(id)
    await quiet()
    expect(sent.map(({ ids, wait }) => [ids, wait])).toEqual(['ann 1', 'ann 2', 'bob 1'].map((id) => [[id], true]))
    const [first, second, third] = [next(), next(), next()]
    await third.answer('insufficient')
    await second.answer('applied')
    await first.fail(new UnavailableError('gone'))
    expect(told).toEqual(['bob 1: insufficient', 'ann 2: applied', 'ann 1: UNAVAILABLE'])
  })

  it('go the general path where the row can not tell, or the answer was lost', async () => {
    const { ask, next, told, general } = open((send) => new SpendOneByOne(send))
    for (const id of ['ann 1', 'ann 2', 'ann 3']) void ask(id)
    await quiet()
    await next().answer('undecided')
    await next().fail(new OutcomeUnknownError('lost'))
    await next().fail(new OutcomeUnknownError('lost'))
    await general.get('ann 1')?.done()
    await general.get('ann 2')?.done()
    expect(told).toEqual(['ann 1: general', 'ann 2: general'])
    await general.get('ann 3')?.fail(new UnavailableError('gone'))
    expect(told.slice(2)).toEqual(['ann 3: OUTCOME_UNKNOWN'])
  })
})
