import { Redis } from 'ioredis'
import { createClient } from 'redis'
import type { RedisClient } from '../../adapters/redis.js'

export interface OpenedClient {
  client: RedisClient
  close: () => Promise<void>
}

/** Every kind of client `redisCache` accepts, each with its own defaults, as hosts use them. */
export const clients: Record<string, (url: string) => Promise<OpenedClient>> = {
  ioredis: async (url) => {
    const client = new Redis(url)
    return { client, close: async () => client.disconnect() }
  },

  'node-redis': async (url) => {
    const client = createClient({ url })
    await client.connect()
    return { client, close: async () => client.destroy() }
  },

  upstash: async (url) => {
    const redis = new Redis(url)
    return { client: new UpstashShaped(redis), close: async () => redis.disconnect() }
  },
}

/** The part of @upstash/redis that matters: its argument shapes, and that it parses JSON in every reply. */
class UpstashShaped {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
    redis.on('error', () => undefined)
  }

  async get(key: string): Promise<unknown> {
    return parsed(await this.#redis.get(key))
  }

  async eval(script: string, keys: string[], args: unknown[]): Promise<unknown> {
    const values = args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg)))
    return parsed(await this.#redis.eval(script, keys.length, ...keys, ...values))
  }
}

function parsed(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(parsed)
  if (typeof reply !== 'string') return reply
  try {
    return JSON.parse(reply)
  } catch {
    return reply
  }
}
