import { afterEach, describe, expect, it, vi } from 'vitest'
import { callAndLeave, closePaying, gate, PAID_MOUNTS, paying, WAIT } from './paying.js'

afterEach(closePaying)

/** A body whose first bytes come at once, and the rest when the test says so. */
async function* bodyWithGate(rest: Promise<unknown>): AsyncGenerator<string> {
  yield 'first '
  await rest
  yield 'last'
}

describe.each(Object.keys(PAID_MOUNTS))('requireCredits and a streamed answer in %s', (name) => {
  it('charges when the body has ended, and not before', async () => {
    const rest = gate()
    const { url, settled, figures } = await paying(name, ({ setCost }) => {
      const body = async function* () {
        yield* bodyWithGate(rest.promise)
        setCost(25)
      }
      return { body: body() }
    })
    const answer = await fetch(url, { method: 'POST' })
    expect(answer.status).toBe(200)
    const reader = answer.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('first ')
    expect(await figures()).toMatchObject({ balance: 40, owned: 100, held: 60 })
    rest.open()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('last')
    expect((await reader?.read())?.done).toBe(true)
    expect(await settled()).toBe(75)
  })

  it('charges nothing when the body breaks off, and the caller sees that it did', async () => {
    const broken = breaking()
    const { url, settled } = await paying(name, () => ({ body: broken.body }))
    const answer = await fetch(url, { method: 'POST' })
    expect(answer.status).toBe(200)
    broken.now()
    await expect(answer.text()).rejects.toThrow()
    expect(await settled()).toBe(100)
  })
})

function breaking() {
  const moment = gate()
  const body = async function* (): AsyncGenerator<string> {
    yield 'first '
    await moment.promise
    throw new Error('broken within')
  }
  return { body: body(), now: moment.open }
}

describe.each(Object.keys(PAID_MOUNTS))('requireCredits and a caller who leaves in %s', (name) => {
  it.each([
    { onAbort: undefined, cost: undefined, owned: 40 },
    { onAbort: 'charge' as const, cost: 15, owned: 85 },
    { onAbort: 'release' as const, cost: 15, owned: 100 },
  ])(
    'within the answer: onAbort $onAbort and a cost of $cost leave $owned of 100',
    async ({ onAbort, cost, owned }) => {
      const never = gate()
      const { url, settled } = await paying(
        name,
        ({ setCost }) => {
          if (cost !== undefined) setCost(cost)
          return { body: bodyWithGate(never.promise) }
        },
        { onAbort },
      )
      await callAndLeave(url, 'with the first bytes')
      expect(await settled()).toBe(owned)
      never.open()
    },
  )

  it('within a large answer is charged as well', async () => {
    const large = async function* () {
      for (let i = 0; i < 200; i += 1) {
        yield 'x'.repeat(100_000)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const { url, settled } = await paying(name, () => ({ body: large() }))
    await callAndLeave(url, 'with the first bytes')
    expect(await settled()).toBe(40)
  })

  it.each([
    { status: 200, onAbort: 'charge' as const, owned: 40 },
    { status: 200, onAbort: 'release' as const, owned: 100 },
    { status: 500, onAbort: 'charge' as const, owned: 100 },
  ])('before an answer of $status: onAbort $onAbort leaves $owned of 100', async ({ status, onAbort, owned }) => {
    const running = gate()
    const gone = gate()
    const { url, settled, figures, left } = await paying(
      name,
      async () => {
        running.open()
        await gone.promise
        return { status }
      },
      { onAbort },
    )
    await callAndLeave(url, running.promise)
    await left
    // The work goes on, and so does its hold.
    expect(await figures()).toMatchObject({ held: 60, owned: 100 })
    gone.open()
    expect(await settled()).toBe(owned)
  })

  it('before a handler that throws pays nothing', async () => {
    const running = gate()
    const gone = gate()
    const { url, settled, counted, left } = await paying(name, async () => {
      running.open()
      await gone.promise
      throw new Error('broken')
    })
    await callAndLeave(url, running.promise)
    await left
    gone.open()
    expect([await settled(), counted.runs]).toEqual([100, 1])
  })

  it('before a streamed answer is as one who leaves within it', async () => {
    const running = gate()
    const gone = gate()
    const { url, figures, counted, left } = await paying(name, async () => {
      running.open()
      await gone.promise
      return { body: bodyWithGate(Promise.resolve()) }
    })
    await callAndLeave(url, running.promise)
    await left
    gone.open()
    await vi.waitFor(async () => expect(await figures()).toMatchObject({ owned: 40, held: 0 }), WAIT)
    expect(counted.runs).toBe(1)
  })
})
