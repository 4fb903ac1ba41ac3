import { streamText } from 'ai'
import { describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/index.js'
import { delta, drained, finishOf, funded, prompt, speaker, speech } from './talking.js'

describe('streamText with a metered model', () => {
  it('charges the real tokens at the end, and tells what they cost', async () => {
    const { meter, figures, uses } = await funded(100)
    const { model } = speaker(speech(['Hel', 'lo'], finishOf(8)))
    const result = streamText({ model: meter(model), prompt: 'Hi' })
    expect(await result.text).toBe('Hello')
    expect((await result.providerMetadata)?.creditkit).toEqual({ credits: 8, uncovered: 0, estimated: false })
    expect(await figures()).toEqual({ balance: 92, held: 0, totalUsed: 8 })
    expect(await uses()).toHaveLength(1)
  })

  it('holds more while it streams, and charges what it came to', async () => {
    const { meter, figures, uses, violations } = await funded(100)
    const { model } = speaker(speech(['x'.repeat(8), 'y'.repeat(8), 'z'.repeat(19)], finishOf(33)))
    const { stream } = await meter(model).doStream({ prompt })
    const reader = stream.getReader()
    const held: number[] = []
    for (let read = await reader.read(); !read.done; read = await reader.read())
      if (read.value.type === 'text-delta') held.push((await figures()).held)
    expect(held).toEqual([10, 20, 40])
    expect(await figures()).toEqual({ balance: 67, held: 0, totalUsed: 33 })
    const [third, second, first] = await uses()
    expect([first?.amount, second?.amount, third?.amount]).toEqual([-10, -10, -13])
    // Tokens stand with the first of them, so that they can be summed up.
    expect(first?.metadata).toMatchObject({ outputTokens: 33, ending: 'finished' })
    const continued = { provider: 'mock', model: 'mock-1', continues: first?.relatedTransactionId }
    expect([second?.metadata, third?.metadata]).toEqual([continued, continued])
    expect(await violations()).toEqual([])
  })

  it('ends in good order when the credits run out: what was let through is charged, the rest is never sent', async () => {
    const { meter, figures, uses, violations } = await funded(25)
    const { model, seen } = speaker(speech(Array<string>(20).fill('five!')))
    const errors: unknown[] = []
    const result = streamText({ model: meter(model), prompt: 'Hi', onError: ({ error }) => void errors.push(error) })
    expect(await result.text).toBe('five!'.repeat(5))
    expect(await result.finishReason).toBe('error')
    expect(await result.rawFinishReason).toBe('INSUFFICIENT_CREDITS')
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ code: 'INSUFFICIENT_CREDITS', shortfall: 5 })
    expect(seen.cancelled).toBe(true)
    expect(seen.sent).toBeLessThan(10)
    expect(await figures()).toEqual({ balance: 0, held: 0, totalUsed: 25 })
    expect((await uses()).at(-1)?.metadata).toMatchObject({ outputTokens: 25, estimated: true, ending: 'exhausted' })
    expect(await violations()).toEqual([])
  })

  it('closes the blocks that are open before it ends for want of credits', async () => {
    const { meter } = await funded(10)
    const { model } = speaker(speech(['0123456789', '!']))
    const { stream } = await meter(model).doStream({ prompt })
    const { parts, error } = await drained(stream)
    expect(error).toBeNull()
    const types = ['stream-start', 'text-start', 'text-delta', 'text-end', 'error', 'finish']
    expect(parts.map(({ type }) => type)).toEqual(types)
  })

  it('gives everything back when the model fails before anything came', async () => {
    const { meter, figures, uses } = await funded(100)
    const { model } = speaker([{ type: 'stream-start', warnings: [] }, delta(''), new Error('overloaded')])
    const { stream } = await meter(model).doStream({ prompt })
    expect((await drained(stream)).error).toMatchObject({ message: 'overloaded' })
    expect(await figures()).toEqual({ balance: 100, held: 0, totalUsed: 0 })

    const told = speaker([{ type: 'error', error: new Error('overloaded') }, finishOf(0)])
    const again = await meter(told.model).doStream({ prompt })
    expect((await drained(again.stream)).parts.map(({ type }) => type)).toEqual(['error', 'finish'])
    expect(await uses()).toEqual([])
    expect((await figures()).held).toBe(0)
  })

  it('charges what has come when the model fails on its way', async () => {
    const { meter, figures, uses } = await funded(100)
    const { model } = speaker([...speech(['Hel', 'lo'], null), new Error('reset')])
    const { stream } = await meter(model).doStream({ prompt })
    const { parts, error } = await drained(stream)
    expect(parts).toHaveLength(4)
    expect(error).toMatchObject({ message: 'reset' })
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
    expect((await uses())[0]?.metadata).toMatchObject({ estimated: true, ending: 'failed' })
  })

  it('charges what has come when the stream breaks off without an end', async () => {
    const { meter, figures } = await funded(100)
    const { model } = speaker(speech(['Hel', 'lo'], null))
    const { stream } = await meter(model).doStream({ prompt })
    expect((await drained(stream)).error).toBeNull()
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
  })

  it('gives everything back when the model can not be reached', async () => {
    const { meter, figures } = await funded(100)
    const { model } = speaker([])
    model.doStream = () => Promise.reject(new Error('unreachable'))
    await expect(meter(model).doStream({ prompt })).rejects.toThrow('unreachable')
    expect(await figures()).toEqual({ balance: 100, held: 0, totalUsed: 0 })
  })

  it('counts reasoning and tool calls, and a call that came in pieces once', async () => {
    const { meter, uses } = await funded(100)
    const { model } = speaker([
      { type: 'reasoning-start', id: 'r' },
      { type: 'reasoning-delta', id: 'r', delta: 'hm' },
      { type: 'reasoning-end', id: 'r' },
      { type: 'tool-input-start', id: 'c1', toolName: 'go' },
      { type: 'tool-input-delta', id: 'c1', delta: '{"a":1}' },
      { type: 'tool-input-end', id: 'c1' },
      { type: 'tool-call', toolCallId: 'c1', toolName: 'go', input: '{"a":1}' },
      { type: 'tool-call', toolCallId: 'c2', toolName: 'stop', input: '{}' },
      finishOf(undefined, undefined),
    ])
    const { stream } = await meter(model, { estimate: () => 50 }).doStream({ prompt })
    await drained(stream)
    expect((await uses())[0]).toMatchObject({ amount: -(2 + 2 + 7 + 4 + 2), metadata: { estimated: true } })
  })

  it('asks the model for no more than is read', async () => {
    const { meter } = await funded(100)
    const { model, seen } = speaker(speech(['a', 'b', 'c', 'd']))
    const { stream } = await meter(model).doStream({ prompt })
    const reader = stream.getReader()
    await reader.read()
    await reader.read()
    await reader.read()
    expect(seen.sent).toBe(3)
    await reader.cancel()
  })

  it('passes every part on as it came', async () => {
    const { meter } = await funded(100)
    const parts = [{ type: 'raw' as const, rawValue: { a: 1 } }, ...speech(['Hi']).slice(0, -1)]
    const { model } = speaker([...parts, finishOf(2)])
    const passed = await drained((await meter(model).doStream({ prompt })).stream)
    expect(passed.parts.slice(0, -1)).toEqual(parts)
    expect(passed.parts.at(-1)).toEqual({
      ...finishOf(2),
      providerMetadata: { creditkit: { credits: 2, uncovered: 0, estimated: false } },
    })
  })

  it('refuses before the model is asked, as an error of the stream', async () => {
    const { meter } = await funded(3)
    const { model } = speaker([delta('never')])
    const errors: unknown[] = []
    const result = streamText({ model: meter(model), prompt: 'Hi', onError: ({ error }) => void errors.push(error) })
    await result.consumeStream()
    expect(errors).toHaveLength(1)
    expect(isCreditError(errors[0], 'INSUFFICIENT_CREDITS')).toBe(true)
    expect(model.doStreamCalls).toEqual([])
  })
})
