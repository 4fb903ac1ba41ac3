import {
  beginPaidCall,
  type CreditHolder,
  type Ending,
  type PaidCall,
  type RequireCreditsOptions,
} from './require-credits.js'

/** Hold the credits of a call that came as a Fetch request. `native`: what the host's options are asked with. */
export function beginFetchCall<T extends string, R>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<T, R>,
  native: R,
  request: Request,
): Promise<PaidCall<T> | Response> {
  const { method, headers, url } = request
  const call = { method, path: new URL(url).pathname, idempotencyKey: headers.get('idempotency-key') }
  return beginPaidCall(credits, options, native, call)
}

/**
 * The handler's answer, which finishes its call when its last byte has been taken.
 *
 * A streamed body ends after its call was charged: serverless platforms stop a function that has answered, and a caller
 * who then reads the balance sees what is left.
 */
export async function answerPaidCall(
  request: Request,
  response: Response,
  finish: PaidCall<string>['finish'],
): Promise<Response> {
  const { body, status } = response
  const isRead = body !== null && request.method !== 'HEAD'
  if (status < 400 && isRead && !request.signal.aborted)
    return new Response(followBody(body, request.signal, finish), response)
  await finish(status >= 400 ? 'failed' : request.signal.aborted ? 'abandoned' : 'succeeded')
  return response
}

/** The same bytes, one chunk when one is asked for. */
function followBody(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  finish: PaidCall<string>['finish'],
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const ended = (ending: Ending): Promise<void> => {
    signal.removeEventListener('abort', onAbort)
    return finish(ending)
  }
  // Not every server cancels the body of a caller who has left.
  const onAbort = () => void ended('abandoned')
  signal.addEventListener('abort', onAbort)
  return new ReadableStream(
    {
      async pull(controller) {
        let next
        try {
          next = await reader.read()
        } catch (error) {
          await ended('failed')
          throw error
        }
        if (!next.done) {
          controller.enqueue(next.value)
          return
        }
        await ended('succeeded')
        controller.close()
      },
      async cancel(reason) {
        // First: a cancelled source looks as if it had come to its end.
        const finished = ended('abandoned')
        await reader.cancel(reason)
        await finished
      },
    },
    { highWaterMark: 0 },
  )
}
