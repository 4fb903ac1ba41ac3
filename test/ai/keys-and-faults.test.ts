import { describe, expect, it } from 'vitest'
import { type CreditHold, OutcomeUnknownError, UnavailableError } from '../../src/index.js'
import { drained, finishOf, funded, prompt, speaker, speech, writer } from './talking.js'

const keyed = (idempotencyKey: string) => ({ prompt, providerOptions: { creditkit: { idempotencyKey } } })

describe('a metered call', () => {
  it('is refused once its key was charged, and the model is not asked again', async () => {
    const { meter, uses } = await funded(100)
    const model = writer('Hello')
    await meter(model).doGenerate(keyed('message-1'))
    await expect(meter(model).doGenerate(keyed('message-1'))).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN' })
    await meter(model).doGenerate(keyed('message-2'))
    expect(model.doGenerateCalls).toHaveLength(2)
    expect(await uses()).toHaveLength(2)
  })

  it('is refused while another with its key is at work', async () => {
    const { meter, figures } = await funded(100)
    const { stream } = await meter(speaker(speech(['Hello'])).model).doStream(keyed('message-1'))
    const second = meter(writer('Hello')).doGenerate(keyed('message-1'))
    await expect(second).rejects.toMatchObject({ code: 'HOLD_IN_USE' })
    await drained(stream)
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
  })

  it('is done again after a failure, and charged once', async () => {
    const { meter, figures, uses } = await funded(100)
    const model = writer('Hello')
    const answer = model.doGenerate
    model.doGenerate = () => Promise.reject(new Error('overloaded'))
    for (let failure = 0; failure < 3; failure += 1)
      await expect(meter(model).doGenerate(keyed('message-1'))).rejects.toThrow('overloaded')
    model.doGenerate = answer
    await meter(model).doGenerate(keyed('message-1'))
    await expect(meter(model).doGenerate(keyed('message-1'))).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN' })
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
    expect(await uses()).toHaveLength(1)
  })

  it('may have a key of any length, and tells it from others', async () => {
    const { meter, uses } = await funded(100)
    const long = 'k'.repeat(1000)
    await meter(writer('Hello')).doGenerate(keyed(`${long}1`))
    await meter(writer('Hello')).doGenerate(keyed(`${long}2`))
    await expect(meter(writer('Hello')).doGenerate(keyed(`${long}1`))).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN' })
    expect(await uses()).toHaveLength(2)
  })

  it('is one of its own each time, where it has no key', async () => {
    const { meter, uses } = await funded(100)
    await meter(writer('Hello')).doGenerate({ prompt })
    await meter(writer('Hello')).doGenerate({ prompt })
    expect(await uses()).toHaveLength(2)
  })

  it('is refused where it names nobody, or a key that is not a text', async () => {
    const { credits, meter } = await funded(100)
    const model = writer('Hello')
    const nobody = meter(model, { credits, userId: undefined })
    await expect(nobody.doGenerate({ prompt })).rejects.toThrow('userId')
    const providerOptions = { creditkit: { idempotencyKey: 7 } }
    await expect(meter(model).doGenerate({ prompt, providerOptions })).rejects.toThrow('idempotencyKey')
    expect(model.doGenerateCalls).toEqual([])
  })

  it('is paid by the user that it names', async () => {
    const shared = await funded(100)
    const other = `other-${shared.userId}`
    await shared.credits.addCredits({ userId: other, amount: 20, description: 'Welcome' })
    const providerOptions = { creditkit: { userId: other } }
    await shared.meter(writer('Hello')).doGenerate({ prompt, providerOptions })
    expect(await shared.credits.getBalance(other)).toBe(15)
    expect(await shared.figures()).toEqual({ balance: 100, held: 0, totalUsed: 0 })
  })
})

describe('a metered call, when things break', () => {
  it('charges once although the answer of the charge was lost', async () => {
    const { credits, meter, figures, uses } = await funded(100)
    const capture = credits.captureHold.bind(credits)
    let lost = 2
    credits.captureHold = async (input) => {
      const transaction = await capture(input)
      if (lost-- > 0) throw new OutcomeUnknownError('The connection was lost')
      return transaction
    }
    const result = await meter(writer('Hello')).doGenerate({ prompt })
    expect(result.providerMetadata?.creditkit).toEqual({ credits: 5, uncovered: 0, estimated: false })
    expect(lost).toBe(-1)
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
    expect(await uses()).toHaveLength(1)
  })

  it('lets the answer stand when it can not be charged, tells so, and keeps the hold', async () => {
    const { credits, meter, figures } = await funded(100)
    credits.captureHold = () => Promise.reject(new UnavailableError('The database is away'))
    const told: unknown[] = []
    const onError = (error: unknown, holds: readonly CreditHold[]) => {
      told.push(error, holds.length)
    }
    const { stream } = await meter(speaker(speech(['Hello'])).model, { onError }).doStream({ prompt })
    const { parts, error } = await drained(stream)
    expect(error).toBeNull()
    expect(parts.at(-1)).toEqual(finishOf(5))
    expect(told).toMatchObject([{ code: 'UNAVAILABLE' }, 1])
    expect(await figures()).toEqual({ balance: 90, held: 10, totalUsed: 0 })
  })

  it('ends a stream for which it can not hold more, and charges what came', async () => {
    const { credits, meter, figures } = await funded(100)
    const { model, seen } = speaker(speech(['x'.repeat(10), 'y'.repeat(5)]))
    const { stream } = await meter(model).doStream({ prompt })
    credits.holdCredits = () => Promise.reject(new UnavailableError('The database is away'))
    const { parts } = await drained(stream)
    expect(parts.map(({ type }) => type).slice(-3)).toEqual(['text-end', 'error', 'finish'])
    expect(seen.cancelled).toBe(true)
    expect(await figures()).toEqual({ balance: 90, held: 0, totalUsed: 10 })
  })

  it('charges a call whose hold ran out while the process slept', async () => {
    const { meter, figures, uses, clock } = await funded(100)
    const { model } = speaker(speech(['Hello']))
    const { stream } = await meter(model).doStream({ prompt })
    const reader = stream.getReader()
    for (let part = 0; part < 3; part += 1) await reader.read()
    expect((await figures()).held).toBe(10)
    clock?.advance(901_000)
    // Nobody is needed to give them back: so it is, too, when the process has died.
    expect(await figures()).toEqual({ balance: 100, held: 0, totalUsed: 0 })
    while (!(await reader.read()).done);
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
    expect(await uses()).toMatchObject([{ amount: -5, description: 'AI: mock-1', metadata: { outputTokens: 5 } }])
  })

  it('takes no more than there is when its hold ran out and the credits went elsewhere', async () => {
    const { credits, userId, meter, figures, clock } = await funded(100)
    const { model } = speaker(speech(['Hello']))
    const { stream } = await meter(model).doStream({ prompt })
    clock?.advance(901_000)
    await credits.deductCredits({ userId, amount: 97, description: 'Elsewhere' })
    const { parts } = await drained(stream)
    const creditkit = { credits: 3, uncovered: 2, estimated: false }
    expect(parts.at(-1)).toMatchObject({ providerMetadata: { creditkit } })
    expect(await figures()).toEqual({ balance: 0, held: 0, totalUsed: 100 })
  })
})
