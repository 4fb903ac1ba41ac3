/**
 * What we ask of a Redis client, so that the host hands in the one it has. Parameters are `never` because the three
 * clients agree on the methods' names but not on their shapes.
 */
export interface RedisClient {
  get(...args: never[]): Promise<unknown>
  eval(...args: never[]): Promise<unknown>
}

/** The same three questions to every client. */
export interface RedisCommands {
  get(key: string): Promise<unknown>
  /** Run a Lua script over one key. */
  run(script: string, key: string, ...args: (string | number)[]): Promise<unknown>
  /** Whether a command sent now would be sent now; undefined where the client can't tell. */
  isReady(): boolean | undefined
}

/** The parts of ioredis, node-redis and @upstash/redis that are used here, as their documentation writes them. */
interface Ioredis {
  status: string
  get(key: string): Promise<unknown>
  eval(script: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>
}
interface NodeRedis {
  isOpen: boolean
  isReady?: boolean
  get(key: string): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}
interface Upstash {
  get(key: string): Promise<unknown>
  eval(script: string, keys: string[], args: string[]): Promise<unknown>
}

export function redisCommands(client: RedisClient): RedisCommands {
  listenForErrors(client)
  if (isIoredis(client)) return ioredisCommands(client)
  if (isNodeRedis(client)) return nodeRedisCommands(client)
  return upstashCommands(client)
}

/** Each is recognised by what only it has. */
const isIoredis = (client: RedisClient): client is RedisClient & Ioredis => 'status' in client
const isNodeRedis = (client: RedisClient): client is RedisClient & NodeRedis => 'isOpen' in client

function ioredisCommands(client: Ioredis): RedisCommands {
  return {
    get: (key) => client.get(key),
    run: (script, key, ...args) => client.eval(script, 1, key, ...args.map(String)),
    isReady: () => client.status === 'ready',
  }
}

function nodeRedisCommands(client: NodeRedis): RedisCommands {
  return {
    get: (key) => client.get(key),
    run: (script, key, ...args) => client.eval(script, { keys: [key], arguments: args.map(String) }),
    isReady: () => client.isReady,
  }
}

function upstashCommands(client: Upstash): RedisCommands {
  return {
    get: (key) => client.get(key),
    run: (script, key, ...args) => client.eval(script, [key], args.map(String)),
    isReady: () => undefined,
  }
}

/**
 * A lost connection is an 'error' event, and an emitter without a listener throws it: node-redis would end the host's
 * process. So a client that nobody listens to gets a listener. Losing the event is safe, since every command that
 * suffers from it fails on its own; a host that wants to hear of it adds its own listener.
 */
function listenForErrors(client: RedisClient & Partial<Emitter>): void {
  if (client.listenerCount?.('error') === 0) client.on?.('error', () => undefined)
}

/** Of ioredis and node-redis; an Upstash client, which speaks HTTP, is none. */
interface Emitter {
  on(event: string, listener: () => void): unknown
  listenerCount(event: string): number
}
