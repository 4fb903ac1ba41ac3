import { html, type SafeHtml } from './html.js'

/** Where in a page its later pieces go. No text can be it: what is filled into pages has no `<`. */
export const LATER = html`<!--later-->`

/**
 * A document whose middle is still being made: what stands before it leaves at once, then each piece, then the rest.
 * `failed` makes the last piece of an error: the status has left by then. Nobody reading ends the work at the next piece.
 */
export function streamed(
  document: string,
  later: AsyncGenerator<SafeHtml, void>,
  failed: (error: unknown) => SafeHtml,
): ReadableStream<Uint8Array> {
  const [before = '', after = ''] = document.split(LATER.toString())
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(before)),
    pull: async (controller) => {
      const next = await later.next().catch((error: unknown) => ({ done: true as const, value: failed(error) }))
      if (next.value !== undefined) controller.enqueue(encoder.encode(next.value.toString()))
      if (next.done !== true) return
      controller.enqueue(encoder.encode(after))
      controller.close()
    },
    cancel: async () => {
      await later.return(undefined)
    },
  })
}
