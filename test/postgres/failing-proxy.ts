import { createServer, connect, type AddressInfo, type Socket } from 'node:net'

export interface FailingProxy {
  url: string
  /** Let the statement through, but close the connection instead of passing on the answer. */
  swallowAnswerTo(statement: string): void
  /** Let the statement through and never answer. */
  freezeAnswerTo(statement: string): void
  /** Close the connection instead of passing on the statement. */
  cutBefore(statement: string): void
  /** Refuse connections that bring this setting, in PgBouncer's words. */
  refuseStartupWith(setting: string): void
  behave(): void
  close(): Promise<void>
}

/** A network that fails on demand, between a driver and the server behind `url`. */
export async function startProxy(url: string, port = 0): Promise<FailingProxy> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let fault: { kind: 'swallow' | 'freeze' | 'cut' | 'refuse'; text: string } | undefined

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let silent = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => setTimeout(() => upstream.destroy(), 50))
    upstream.on('close', () => client.destroy())
    upstream.on('data', (answer) => {
      if (!silent) client.write(answer)
      else if (fault?.kind === 'swallow') client.destroy()
    })
    client.on('data', (request) => {
      if (fault && request.toString('latin1').toLowerCase().includes(fault.text)) {
        if (fault.kind === 'refuse') {
          client.end(errorResponse('08P01', `unsupported startup parameter: ${fault.text.replace('\0', '')}`))
          return
        }
        if (fault.kind === 'cut') {
          upstream.destroy()
          return
        }
        silent = true
      }
      upstream.write(request)
    })
  })
  await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready))
  const through = new URL(url)
  // A TCP server's address is never a path.
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url: through.href,
    swallowAnswerTo: (text) => (fault = { kind: 'swallow', text }),
    freezeAnswerTo: (text) => (fault = { kind: 'freeze', text }),
    cutBefore: (text) => (fault = { kind: 'cut', text }),
    refuseStartupWith: (text) => (fault = { kind: 'refuse', text }),
    behave: () => (fault = undefined),
    close: async () => {
      const closed = new Promise((done) => server.close(done))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
