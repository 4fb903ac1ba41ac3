import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CreditService, type PaymentProvider } from 'creditkit'
import { apiHandler } from 'creditkit/adapters/node'
import { memoryStore } from 'creditkit/adapters/memory'
import { createCreditsApi } from 'creditkit/api'
import { CreditsClientError } from 'creditkit/client'
import { callerOf } from '../doors/rest-call.js'

/** What happens to a request on its way; undefined: nothing, it is answered. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void

/** A door on a port of its own; without `payments` it sells nothing. */
export async function serveDoor(payments?: PaymentProvider) {
  const credits = new CreditService({ store: memoryStore(), ...(payments && { payments }) })
  const api = createCreditsApi(credits, { authenticate: callerOf, onError: () => undefined })
  const handler = apiHandler(api)
  const faults: Fault[] = []
  const requests: { method: string; url: string; headers: IncomingMessage['headers'] }[] = []
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    requests.push({ method, url, headers })
    const fault = faults.shift()
    if (fault === undefined) handler(request, response)
    else void fault(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  // A listening TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  return {
    credits,
    api,
    baseUrl: `http://127.0.0.1:${port}/api/credits`,
    /** What befalls the next requests, one each. */
    faults,
    requests,
    /** Lets a request through and then drops its answer. */
    answerLost: ((request, response) => {
      const { socket } = request
      response.end = (() => {
        socket.destroy()
        return response
      }) as typeof response.end
      response.write = () => true
      handler(request, response)
    }) satisfies Fault,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await credits.close()
    },
  }
}

/** Answers by itself, instead of the door. */
export function answering(status: number, body: string, headers: Record<string, string> = {}): Fault {
  return (request, response) => {
    request.resume()
    response.writeHead(status, headers).end(body)
  }
}

/** What a call was refused with. Throws when it was not refused, or not by the client. */
export async function refusalOf(call: Promise<unknown>): Promise<CreditsClientError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof CreditsClientError) return error
  throw new Error('refusalOf: the call was not refused by the client', { cause: error })
}
