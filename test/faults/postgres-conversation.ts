import type { NetworkFault } from './failing-network.js'

/** One request and its answer. */
export interface Exchange {
  text: string
  /** Was a transaction open when it was asked? */
  isInTransaction: boolean
  /** Will its answer, if it is none of an error, mean that something was written for good? */
  isCommitting: boolean
  /** It did. */
  isCommitted: boolean
  /** What is to happen to its answer. */
  fault: NetworkFault | null
}

export interface Conversation {
  fromClient(bytes: Buffer): void
  fromServer(bytes: Buffer): void
  /** What the server has said of an answer that is not complete. */
  unfinished(): Buffer
}

export interface Listener {
  /** Everything up to the point at which the client waits for an answer. */
  onRequest: (request: Buffer, exchange: Exchange) => void
  /** Everything up to ReadyForQuery. */
  onReply: (reply: Buffer, exchange: Exchange) => void
}

const WRITES = /^(?:with (?:spent|sent) as|insert into|update )/i

/**
 * Follow PostgreSQL's protocol between a client and a server, and hand on what they say in whole requests and answers.
 * Clients ask one thing at a time, as node-postgres does.
 */
export function followConversation({ onRequest, onReply }: Listener): Conversation {
  const asking = new Messages()
  const answering = new Messages()
  const statements = new Map<string, string>()
  let request: Buffer[] = []
  let reply: Buffer[] = []
  let text = ''
  let isStarted = false
  let isInTransaction = false
  let isError = false
  // The connection's own start is the first exchange.
  let exchange: Exchange = newExchange('', false)

  return {
    fromClient: (bytes) => {
      if (!isStarted) {
        // The first message has no type; all of it comes at once.
        isStarted = true
        onRequest(bytes, exchange)
        return
      }
      for (const message of asking.complete(bytes)) {
        const type = String.fromCharCode(message[0] ?? 0)
        request.push(message)
        if (type === 'Q') text = textAt(message, 5)
        if (type === 'P') {
          const name = textAt(message, 5)
          text = textAt(message, 6 + Buffer.byteLength(name))
          statements.set(name, text)
        }
        if (type === 'B') text = statements.get(textAt(message, 6 + Buffer.byteLength(textAt(message, 5)))) ?? text
        if (!['Q', 'S', 'X'].includes(type)) continue
        exchange = newExchange(text, isInTransaction)
        const whole = Buffer.concat(request)
        request = []
        onRequest(whole, exchange)
      }
    },
    fromServer: (bytes) => {
      for (const message of answering.complete(bytes)) {
        const type = String.fromCharCode(message[0] ?? 0)
        reply.push(message)
        if (type === 'E') isError = true
        if (type !== 'Z') continue
        isInTransaction = message[5] !== 'I'.charCodeAt(0)
        exchange.isCommitted = exchange.isCommitting && !isError && !isInTransaction
        isError = false
        const whole = Buffer.concat(reply)
        reply = []
        onReply(whole, exchange)
      }
    },
    unfinished: () => Buffer.concat(reply),
  }
}

function newExchange(text: string, isInTransaction: boolean): Exchange {
  const isCommitting = isInTransaction ? /^commit/i.test(text) : WRITES.test(text)
  return { text, isInTransaction, isCommitting, isCommitted: false, fault: null }
}

/** The text that ends with a zero byte. */
function textAt(message: Buffer, start: number): string {
  return message.toString('utf8', start, message.indexOf(0, start))
}

/** Puts bytes together to messages: a type, a length of four bytes that counts itself, and a body. */
class Messages {
  #bytes: Buffer = Buffer.alloc(0)

  complete(bytes: Buffer): Buffer[] {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    const found: Buffer[] = []
    while (this.#bytes.length >= 5) {
      const length = 1 + this.#bytes.readUInt32BE(1)
      if (this.#bytes.length < length) break
      found.push(this.#bytes.subarray(0, length))
      this.#bytes = this.#bytes.subarray(length)
    }
    return found
  }
}
