import type { ServerResponse } from 'node:http'
import type { NodeRequest } from './node-request.js'
import {
  beginPaidCall,
  type CreditHolder,
  type Ending,
  type PaidCall,
  type RequireCreditsOptions,
} from './require-credits.js'

/** Hold the credits of a call that came as a Node request. */
export function beginNodeCall<T extends string, R extends NodeRequest>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<T, R>,
  request: R,
): Promise<PaidCall<T> | Response> {
  const key = request.headers['idempotency-key']
  const [path = '/'] = (request.originalUrl ?? request.url ?? '/').split('?')
  const call = { method: request.method ?? 'GET', path, idempotencyKey: Array.isArray(key) ? key.join() : key }
  return beginPaidCall(credits, options, request, call)
}

/**
 * How an answer ends that a handler writes from now on. A caller who leaves before it has begun does not end it: it is
 * then as the handler would have answered. Never resolves where the handler never answers.
 */
export function answerEnding(request: NodeRequest, response: ServerResponse): Promise<Ending> {
  // Gone from the response when it closes. Serverless wrappers make requests without a socket.
  const socket = request.socket as NodeRequest['socket'] | undefined
  return new Promise((resolve) => {
    const end = (ending: Ending) => resolve(response.statusCode < 400 ? ending : 'failed')
    const onClose = () => {
      if (response.headersSent) end(wasCutByHost(response, socket) ? 'failed' : 'abandoned')
      else onFirstWrite(response, () => end('abandoned'))
    }
    if (response.destroyed) onClose()
    else response.once('finish', () => end('succeeded')).once('close', onClose)
  })
}

/**
 * Was it the host that cut the connection, as Express does when a handler fails within its answer? A caller who leaves
 * says so (the socket has been read to its end), or the operating system does.
 */
function wasCutByHost(response: ServerResponse, socket: NodeRequest['socket'] | undefined): boolean {
  if (response.errored != null) return true
  if (socket === undefined || socket.readableEnded) return false
  return socket.errored === null || !('syscall' in socket.errored)
}

/** A response whose connection is gone tells nobody that it is written: its methods have to be listened to. */
function onFirstWrite(response: ServerResponse, listener: () => void): void {
  for (const name of ['write', 'end'] as const) {
    const method: (...args: never[]) => unknown = response[name].bind(response)
    Object.defineProperty(response, name, {
      configurable: true,
      writable: true,
      value: (...args: never[]): unknown => {
        listener()
        return method(...args)
      },
    })
  }
}
