import { streamText } from 'ai'
import { describe, expect, it, vi } from 'vitest'
import { finishOf, funded, prompt, speaker, speech, writer } from './talking.js'

describe('a metered stream that is left before its end', () => {
  it('is charged what has come when it is aborted, also where the model takes no notice', async () => {
    const { meter, figures, uses, violations } = await funded(100)
    const { model, seen } = speaker([...speech(['Hel', 'lo'], null), 'silence'])
    const controller = new AbortController()
    const aborted = vi.fn()
    const result = streamText({
      model: meter(model),
      prompt: 'Hi',
      abortSignal: controller.signal,
      onAbort: aborted,
      onChunk: ({ chunk }) => {
        if (chunk.type === 'text-delta' && chunk.text === 'lo') controller.abort()
      },
    })
    await result.consumeStream()
    expect(aborted).toHaveBeenCalledOnce()
    await vi.waitFor(async () => expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 }))
    expect(seen.cancelled).toBe(true)
    expect((await uses())[0]?.metadata).toMatchObject({ outputTokens: 5, estimated: true, ending: 'aborted' })
    expect(await violations()).toEqual([])
  })

  it('ends with the reason of the abort', async () => {
    const { meter } = await funded(100)
    const { model } = speaker(['silence'])
    const controller = new AbortController()
    const { stream } = await meter(model).doStream({ prompt, abortSignal: controller.signal })
    const reading = stream.getReader().read()
    controller.abort(new Error('the tab was closed'))
    await expect(reading).rejects.toThrow('the tab was closed')
  })

  it('costs nothing when it is aborted before anything came', async () => {
    const { meter, figures, uses } = await funded(100)
    const { model, seen } = speaker([{ type: 'stream-start', warnings: [] }, 'silence'])
    const controller = new AbortController()
    const { stream } = await meter(model).doStream({ prompt, abortSignal: controller.signal })
    const reader = stream.getReader()
    await reader.read()
    expect((await figures()).held).toBe(10)
    const reading = reader.read()
    controller.abort()
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
    expect(await figures()).toEqual({ balance: 100, held: 0, totalUsed: 0 })
    expect(await uses()).toEqual([])
    expect(seen.cancelled).toBe(true)
  })

  it('holds nothing for a call that was aborted before it began', async () => {
    const { credits, userId, meter } = await funded(100)
    const model = writer('never')
    const call = meter(model).doGenerate({ prompt, abortSignal: AbortSignal.abort() })
    await expect(call).rejects.toMatchObject({ name: 'AbortError' })
    expect(model.doGenerateCalls).toEqual([])
    expect(await credits.getHolds(userId)).toEqual([])
  })

  it('is charged what has come when its reader cancels', async () => {
    const { meter, figures, uses } = await funded(100)
    const { model, seen } = speaker(speech(['Hel', 'lo', 'World']))
    const { stream } = await meter(model).doStream({ prompt })
    const reader = stream.getReader()
    for (let part = 0; part < 3; part += 1) await reader.read()
    await reader.cancel('enough')
    expect(await figures()).toEqual({ balance: 97, held: 0, totalUsed: 3 })
    expect((await uses())[0]?.metadata).toMatchObject({ ending: 'aborted' })
    expect(seen.cancelled).toBe(true)
  })

  it('is charged once when it is aborted while its end is being charged', async () => {
    const { credits, meter, figures, uses } = await funded(100)
    const controller = new AbortController()
    const { model } = speaker(speech(['Hello'], finishOf(5)))
    const capture = credits.captureHold.bind(credits)
    credits.captureHold = (input) => {
      controller.abort()
      return capture(input)
    }
    const { stream } = await meter(model).doStream({ prompt, abortSignal: controller.signal })
    const reader = stream.getReader()
    const rest = async () => {
      while (!(await reader.read()).done);
    }
    await expect(rest()).rejects.toMatchObject({ name: 'AbortError' })
    expect(await figures()).toEqual({ balance: 95, held: 0, totalUsed: 5 })
    expect(await uses()).toHaveLength(1)
  })

  it('gives back what it was about to hold more when it is cancelled meanwhile', async () => {
    const { credits, meter, figures } = await funded(100)
    const { model } = speaker(speech(['x'.repeat(10), 'y'.repeat(5)]))
    const { stream } = await meter(model).doStream({ prompt })
    const reader = stream.getReader()
    for (let part = 0; part < 3; part += 1) await reader.read()
    const hold = credits.holdCredits.bind(credits)
    let left: Promise<void> = Promise.resolve()
    credits.holdCredits = (input) => {
      left = reader.cancel()
      return hold(input)
    }
    await reader.read()
    await left
    const { balance, held, totalUsed } = await figures()
    expect([balance + totalUsed, held]).toEqual([100, 0])
    expect(totalUsed).toBe(15)
  })

  it('is ended and charged when nobody reads it any more', async () => {
    const { meter, figures, uses } = await funded(100, { clock: null })
    const { model, seen } = speaker(speech(['Hel', 'lo']))
    const { stream } = await meter(model, { expiresInSeconds: 2 }).doStream({ prompt })
    const reader = stream.getReader()
    for (let part = 0; part < 3; part += 1) await reader.read()
    await vi.waitFor(() => expect(seen.cancelled).toBe(true), { timeout: 10_000 })
    await expect(reader.read()).rejects.toThrow('not read any more')
    expect(await figures()).toEqual({ balance: 97, held: 0, totalUsed: 3 })
    expect((await uses())[0]?.metadata).toMatchObject({ ending: 'abandoned' })
  })

  it('keeps its credits held for longer than a hold lives, as long as it is waited for', async () => {
    const { credits, userId, meter, figures } = await funded(100, { clock: null })
    const { model } = speaker([...speech(['Hello'], null), 'silence'])
    const { stream } = await meter(model, { expiresInSeconds: 1 }).doStream({ prompt })
    const reader = stream.getReader()
    for (let part = 0; part < 3; part += 1) await reader.read()
    const waiting = reader.read()
    const [hold] = await credits.getHolds(userId)
    const firstEnd = hold?.expiresAt.getTime() ?? 0
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(firstEnd), { timeout: 10_000 })
    expect((await figures()).held).toBe(10)
    await reader.cancel()
    await waiting
    expect((await figures()).totalUsed).toBe(5)
  })
})
