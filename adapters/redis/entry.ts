import type { CachedBalance } from '../../src/ports/cache.js'

/*
 * An entry is one string: {"version":7,"balance":50}. A `null` balance is a tombstone. Every entry lives for the cache's
 * full time to live, so that an older balance can't come back; a balance that ends sooner says in `until` down to which
 * remaining life of the key, in milliseconds, it counts. So no two machines' clocks are ever compared.
 *
 * What does not look like that is not ours: it is a miss for readers and is overwritten by writers.
 */

export interface Entry {
  version: number
  balance: number | null
  until?: number
}

export function writeEntry({ balance, version }: CachedBalance, ttlMs: number, fullTtlMs: number): string {
  const entry: Entry = { version, balance }
  if (ttlMs < fullTtlMs) entry.until = fullTtlMs - ttlMs
  return JSON.stringify(entry)
}

const format = /^\{"version":(\d{1,16}),"balance":(null|-?\d{1,16})(?:,"until":(\d{1,16}))?\}$/

export function readEntry(reply: unknown): Entry | null {
  // Upstash's client parses JSON by itself; written again, its object is the same text.
  const text = typeof reply === 'object' ? JSON.stringify(reply) : reply
  if (typeof text !== 'string') return null
  const [, version, balance, until] = format.exec(text) ?? []
  if (version === undefined) return null
  const entry: Entry = { version: Number(version), balance: balance === 'null' ? null : Number(balance) }
  if (until !== undefined) entry.until = Number(until)
  return Number.isSafeInteger(entry.version) && Number.isSafeInteger(entry.balance ?? 0) ? entry : null
}

/**
 * The version an entry stands for, or nil. One without an end was not written by us; believing its version would close
 * the key for ever.
 */
const known = `
local function known()
  local entry = redis.pcall('GET', KEYS[1])
  if type(entry) ~= 'string' or redis.call('PTTL', KEYS[1]) < 0 then return nil end
  local version = string.match(entry, '^{"version":(%d+),"balance":')
  if version and #version <= 16 then return version end
end
local version = known()
`

/** ARGV: version, entry, time to live in ms. */
export const setIfNotOlder = `${known}
if version and tonumber(version) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

/**
 * ARGV: lowest version to accept from now on, time to live in ms. Where memory is too full for the tombstone, the
 * balance is at least removed, and the error tells the caller that nothing guards the key.
 */
export const bury = `${known}
if not version or tonumber(version) < tonumber(ARGV[1]) then version = ARGV[1] end
local done = redis.pcall('SET', KEYS[1], '{"version":' .. version .. ',"balance":null}', 'PX', ARGV[2])
if done.err then redis.pcall('DEL', KEYS[1]) end
return done`

/** The entry with the remaining life of its key, of one moment. */
export const getWithLife = `return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }`
