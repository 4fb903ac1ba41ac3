import { connect } from 'node:net'

/** What came back over a socket. */
export interface RawAnswer {
  /** 0: the connection ended without an answer. */
  status: number
  /** Status line and headers. */
  head: string
  body: string
}

/** What a sender does that is no proper client: pieces are written one after another, a number is a pause in milliseconds. */
export type Piece = string | Uint8Array | number

export interface RawCall {
  answer: Promise<RawAnswer>
  /** Resolves when the server has ended the connection. */
  closed: Promise<void>
  /** Goes away. */
  leave: () => void
}

/** Send these bytes and nothing else. The answer is what has come when its head and length say that it is whole, or when the connection ends. */
export function sendRaw(url: string, pieces: Iterable<Piece>): RawCall {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let received = ''
  let tell: (answer: RawAnswer) => void = () => undefined
  const answer = new Promise<RawAnswer>((resolve) => (tell = resolve))
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    received += text
    const read = readAnswer(received)
    if (isWhole(read)) tell(read)
  })
  // A server that has enough may reset the connection: what came before counts.
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      tell(readAnswer(received))
      resolve()
    })
  })
  void write(socket, pieces)
  return { answer, closed, leave: () => socket.destroy() }
}

async function write(socket: ReturnType<typeof connect>, pieces: Iterable<Piece>): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return
    if (typeof piece === 'number') await new Promise((resolve) => setTimeout(resolve, piece))
    else if (typeof piece === 'string') socket.write(piece, 'latin1')
    else socket.write(piece)
  }
}

function readAnswer(received: string): RawAnswer {
  const [head = '', ...rest] = received.split('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0)
  return { status, head, body: Buffer.from(rest.join('\r\n\r\n'), 'latin1').toString() }
}

function isWhole({ status, head, body }: RawAnswer): boolean {
  if (status < 200) return false
  const [, length] = /^content-length: (\d+)/im.exec(head) ?? []
  return length === undefined ? body.endsWith('0\r\n\r\n') || status === 304 : Buffer.byteLength(body) >= Number(length)
}

/** A request's bytes. */
export function requestText(line: string, headers: Record<string, string | readonly string[]> = {}, body = ''): string {
  const all = { host: 'localhost', ...headers }
  const lines = Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`))
  return [`${line} HTTP/1.1`, ...lines, '', body].join('\r\n')
}
