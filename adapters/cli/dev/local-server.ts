import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { apiHandler } from '../../node.js'
import type { FetchHandler } from '../../node-request.js'
import { WrongUsage } from '../failure.js'

export interface LocalServer {
  /** `http://127.0.0.1:3080` */
  origin: string
  /** What answers from now on; before, everybody is told to wait. */
  serve(handler: FetchHandler): void
  close(): Promise<void>
}

/**
 * A server that only this machine reaches. It listens before there is anything to serve, since what is served wants to know
 * where. Port 0: a free one.
 *
 * @throws {WrongUsage} The port is in use.
 */
export async function localServer(port: number): Promise<LocalServer> {
  let answer: FetchHandler = () => Promise.resolve(new Response(null, { status: 503, headers: { 'retry-after': '1' } }))
  const server = createServer(apiHandler((request, native) => answer(request, native))).listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      throw new WrongUsage(`port ${port} is in use: pass another one as --port`)
    throw error
  }
  // A TCP server's address is an object; only pipes have a text.
  const { port: taken } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${taken}`,
    serve: (handler) => {
      answer = handler
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
