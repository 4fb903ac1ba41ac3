import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { type Conversation, followConversation, type Exchange } from './postgres-conversation.js'
import { seededRandom, type SeededRandom } from '../support/seeded-random.js'

/** What a network does to what goes through it. */
export const NETWORK_FAULTS = {
  /** The server has committed, and its answer is lost with the connection. */
  replyDropped: 'replies dropped after COMMIT',
  /** The connection ends before the server has seen the request. */
  requestDropped: 'requests dropped',
  /** The connection ends between two statements of a transaction. */
  cutInTransaction: 'cut in the middle of a transaction',
  /** The connection ends in the middle of the answer. */
  truncated: 'answers truncated',
  /** Nobody answers any more, and nobody hangs up; what was asked may have reached the server. */
  blackhole: 'connections gone silent',
  /** The answer comes late, maybe too late. */
  delayed: 'answers delayed',
} as const

export type NetworkFault = keyof typeof NETWORK_FAULTS

/** How probable each of them is, at each point where it is possible. */
export type Weather = Partial<Record<NetworkFault, number>>

export const STORM: Weather = {
  replyDropped: 0.08,
  requestDropped: 0.02,
  cutInTransaction: 0.01,
  truncated: 0.02,
  blackhole: 0.004,
  delayed: 0.03,
}

export interface FailingNetwork {
  /** The database, as it is reached through this network. */
  url: string
  /** How often each fault has happened. */
  readonly counts: Record<NetworkFault, number>
  weather(weather: Weather): void
  /** Whatever the weather is: this, at the next point where it is possible. */
  failNext(fault: NetworkFault | null): void
  close(): Promise<void>
}

/** So long the server does not hear that a client has hung up on a silent connection. */
const UNHEARD_MS = 500

/** A network between clients and the PostgreSQL behind `url` that fails by chance, at the points that matter. */
export async function startFailingNetwork(url: string, seed: number): Promise<FailingNetwork> {
  const target = new URL(url)
  const random = seededRandom(seed)
  const counts = { replyDropped: 0, requestDropped: 0, cutInTransaction: 0, truncated: 0, blackhole: 0, delayed: 0 }
  const sockets = new Set<Socket>()
  let weather: Weather = {}
  let next: NetworkFault | null = null

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let isSilent = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    const cut = (): void => {
      client.destroy()
      upstream.destroy()
    }
    const conversation: Conversation = followConversation({
      onRequest: (request, exchange) => {
        if (isSilent) return
        const fault = chooseFault(random, next === null ? weather : { [next]: 1 }, exchange)
        if (fault === next) next = null
        if (fault === 'requestDropped' || fault === 'cutInTransaction') {
          counts[fault] += 1
          cut()
          return
        }
        if (fault === 'blackhole') {
          counts.blackhole += 1
          isSilent = true
          if (random.isChosen(0.5)) return
        }
        exchange.fault = fault
        upstream.write(request)
      },
      onReply: (reply, exchange) => {
        if (isSilent) return
        const { fault } = exchange
        if (fault === 'replyDropped' && exchange.isCommitted) {
          counts.replyDropped += 1
          cut()
        } else if (fault === 'truncated') {
          counts.truncated += 1
          client.write(reply.subarray(0, random.between(1, reply.length - 1)), cut)
        } else if (fault === 'delayed') {
          counts.delayed += 1
          setTimeout(() => client.destroyed || client.write(reply), delayMs(random))
        } else client.write(reply)
      },
    })
    client.on('data', (bytes) => conversation.fromClient(bytes))
    upstream.on('data', (bytes) => conversation.fromServer(bytes))
    client.on('close', () => {
      if (isSilent) setTimeout(() => upstream.destroy(), UNHEARD_MS)
      else upstream.destroy()
    })
    upstream.on('close', () => {
      if (isSilent) return
      // What the server said before it hung up: mostly, why.
      if (!client.destroyed) client.end(conversation.unfinished())
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const through = new URL(url)
  // A TCP server's address is never a path.
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: through.href,
    counts,
    weather: (wanted) => (weather = wanted),
    failNext: (fault) => (next = fault),
    close: async () => {
      const closed = new Promise((done) => server.close(done))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** One fault at most for one request, and only where it makes sense. */
function chooseFault(random: SeededRandom, weather: Weather, exchange: Exchange): NetworkFault | null {
  const possible: NetworkFault[] = ['truncated', 'blackhole', 'delayed']
  if (exchange.isCommitting) possible.push('replyDropped', 'requestDropped')
  else if (exchange.isInTransaction) possible.push('cutInTransaction')
  for (const fault of possible) if (random.isChosen(weather[fault] ?? 0)) return fault
  return null
}

function delayMs(random: SeededRandom): number {
  return random.isChosen(0.1) ? random.between(500, 2_500) : random.between(5, 100)
}
