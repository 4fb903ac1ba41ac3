import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to the database on which answers get lost. */
export interface LosingProxy {
  url: string
  /** So many answers were taken away, each with its connection, after the statement had gone through. */
  readonly lost: number
  close(): Promise<void>
}

/** `rate`: of so many answers one is lost, by chance. */
export async function startLosingProxy(url: string, rate: number): Promise<LosingProxy> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let lost = 0
  const server = createServer((client) => {
    const upstream = connect(Number(target.port === '' ? 5432 : target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    let hasAsked = false
    client.on('data', (request) => {
      // A statement is executed: from here on an answer can be lost that matters.
      hasAsked ||= request.includes('insert into')
      upstream.write(request)
    })
    upstream.on('data', (answer) => {
      if (!hasAsked || Math.random() * rate >= 1) {
        client.write(answer)
        return
      }
      lost += 1
      client.destroy()
      upstream.end()
    })
    client.on('close', () => upstream.end())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const through = new URL(url)
  // A listening TCP server's address is an object.
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: through.href,
    get lost() {
      return lost
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
