import { isCreditError } from '../../src/errors.js'
import type { CallEnding, RunningCall } from './running-call.js'
import type { StreamPart } from './sdk.js'
import { AnswerCount, type CountTokens } from './token-count.js'
import { withCharge } from './told-charge.js'
import { reportedUsage, type TokenUsage, usageForSdk } from './token-usage.js'

/** What the stream of a model call needs. */
export interface StreamedCall<T extends string> {
  running: RunningCall<T>
  countTokens: CountTokens
  abortSignal: AbortSignal | undefined
  /** Of the model: `v2`, `v3` or `v4`. */
  specificationVersion: string
}

/**
 * A model's stream that is paid as it is read. Parts go through one by one, as they are asked for: nothing is kept back, and
 * a slow reader slows the model. A part that the user's credits do not cover is not let through.
 */
export function meterStream<T extends string>(
  upstream: ReadableStream<StreamPart>,
  call: StreamedCall<T>,
): ReadableStream<StreamPart> {
  return new ReadableStream(new StreamMeter(upstream.getReader(), call), { highWaterMark: 0 })
}

class StreamMeter<T extends string> implements UnderlyingDefaultSource<StreamPart> {
  readonly #reader: ReadableStreamDefaultReader<StreamPart>
  readonly #running: RunningCall<T>
  readonly #count: AnswerCount
  readonly #signal: AbortSignal | undefined
  readonly #specificationVersion: string
  /** Blocks that have begun and not ended: their end, by their id. */
  readonly #openBlocks = new Map<string, 'text-end' | 'reasoning-end' | 'tool-input-end'>()
  /** No part is let through any more. */
  #isStopped = false
  #isFinished = false
  #hasFailed = false
  #isReading = false
  #wasRead = true
  #fail: (reason: unknown) => void = () => undefined

  constructor(reader: ReadableStreamDefaultReader<StreamPart>, call: StreamedCall<T>) {
    this.#reader = reader
    this.#running = call.running
    this.#count = new AnswerCount(call.countTokens)
    this.#signal = call.abortSignal
    this.#specificationVersion = call.specificationVersion
  }

  start(controller: ReadableStreamDefaultController<StreamPart>): void {
    this.#fail = (reason) => controller.error(reason)
    this.#running.isAlive = () => this.#isStillRead()
    this.#signal?.addEventListener('abort', this.#abort, { once: true })
    // Also where the model took no notice of a signal that came before its answer.
    if (this.#signal?.aborted) this.#abort()
  }

  async pull(controller: ReadableStreamDefaultController<StreamPart>): Promise<void> {
    this.#wasRead = true
    this.#isReading = true
    try {
      const { done, value } = await this.#reader.read()
      if (this.#isStopped) return
      if (!done) {
        await this.#pass(value, controller)
        return
      }
      // After a finish that is its end; without one, the answer broke off.
      await this.#end('failed')
      if (this.#isLeft()) return
      controller.close()
    } catch (error) {
      if (this.#isLeft()) return
      await this.#end(this.#signal?.aborted ? 'aborted' : 'failed')
      controller.error(error)
    } finally {
      this.#isReading = false
    }
  }

  cancel(reason: unknown): Promise<void> {
    return this.#stop('aborted', reason)
  }

  /** Asked after a wait, in which it may have changed. */
  #isLeft(): boolean {
    return this.#isStopped
  }

  async #pass(part: StreamPart, controller: ReadableStreamDefaultController<StreamPart>): Promise<void> {
    if (part.type === 'finish' && !this.#isFinished) {
      const told = await this.#finish(part)
      if (!this.#isStopped) controller.enqueue(told)
      return
    }
    if (part.type === 'error') this.#hasFailed = true
    const { tokens } = this.#count
    this.#count.add(part)
    if (this.#count.tokens > tokens) {
      const problem = await this.#running.cover(this.#count.tokens)
      if (this.#isStopped) return
      if (problem !== null) return this.#exhaust(problem, tokens, controller)
    }
    this.#noteBlock(part)
    controller.enqueue(part)
  }

  /** The provider's own figures, where it has them. A call that failed before any content costs nothing. */
  async #finish(part: FinishPart): Promise<StreamPart> {
    this.#isFinished = true
    const isVain = this.#hasFailed && !this.#count.hasContent
    const usage = isVain ? null : reportedUsage(part.usage, this.#running.counted(this.#count.tokens))
    const charge = await this.#running.end(usage, 'finished')
    this.#unlisten()
    return withCharge(part, charge)
  }

  /** There are no more credits: end in good order, as the SDK expects it, without the part they did not cover. */
  async #exhaust(
    error: unknown,
    outputTokens: number,
    controller: ReadableStreamDefaultController<StreamPart>,
  ): Promise<void> {
    this.#isStopped = true
    this.#unlisten()
    this.#leaveUpstream(error)
    const usage = this.#running.counted(outputTokens)
    const charge = await this.#running.end(usage, 'exhausted')
    for (const [id, type] of this.#openBlocks) controller.enqueue({ type, id })
    controller.enqueue({ type: 'error', error })
    controller.enqueue(withCharge(this.#exhaustedPart(usage, error), charge))
    controller.close()
  }

  #exhaustedPart(counted: TokenUsage, error: unknown): FinishPart {
    const usage = usageForSdk(counted, this.#specificationVersion)
    const raw = isCreditError(error) ? error.code : undefined
    if (this.#specificationVersion !== 'v2') return { type: 'finish', finishReason: { unified: 'error', raw }, usage }
    const flat: unknown = { type: 'finish', finishReason: 'error', usage }
    // A model of the SDK's fifth version; the types here are those of the installed one.
    return flat as FinishPart
  }

  readonly #abort = (): void => void this.#stop('aborted', this.#signal?.reason)

  /** End before the model does: charge what has come, and take no more. */
  async #stop(ending: CallEnding, reason: unknown): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#unlisten()
    this.#leaveUpstream(reason)
    await this.#charge(ending)
    this.#fail(reason)
  }

  async #end(ending: CallEnding): Promise<void> {
    this.#unlisten()
    await this.#charge(ending)
  }

  /** What has come, as the provider bills it; nothing where nothing has. */
  async #charge(ending: CallEnding): Promise<void> {
    await this.#running.end(this.#count.hasContent ? this.#running.counted(this.#count.tokens) : null, ending)
  }

  #leaveUpstream(reason: unknown): void {
    // A body that is gone can't be cancelled, and need not be.
    this.#reader.cancel(reason).catch(() => undefined)
  }

  #unlisten(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
  }

  /** Streams that a host has forgotten, say because its client left, would hold their credits for ever. */
  #isStillRead(): boolean {
    const isRead = this.#isReading || this.#wasRead
    this.#wasRead = false
    if (!isRead) void this.#stop('abandoned', new Error('meterModel: the stream was not read any more'))
    return isRead
  }

  #noteBlock(part: StreamPart): void {
    if (part.type === 'text-start') this.#openBlocks.set(part.id, 'text-end')
    else if (part.type === 'reasoning-start') this.#openBlocks.set(part.id, 'reasoning-end')
    else if (part.type === 'tool-input-start') this.#openBlocks.set(part.id, 'tool-input-end')
    else if (part.type === 'text-end' || part.type === 'reasoning-end' || part.type === 'tool-input-end')
      this.#openBlocks.delete(part.id)
  }
}

type FinishPart = Extract<StreamPart, { type: 'finish' }>
