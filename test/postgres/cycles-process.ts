import { Redis } from 'ioredis'
import { memoryPayments } from '../../adapters/testing/memory-payments/memory-payments.js'
import { pgliteStore } from '../../adapters/pglite.js'
import { postgresStore } from '../../adapters/postgres/index.js'
import { redisCache } from '../../adapters/redis.js'
import { CreditService } from '../../src/index.js'

/*
 * Makes, uses and closes a service again and again; then prints what keeps the process alive and what listens, early and
 * late, and does nothing to end: whoever started it sees that it ends by itself.
 */
const [url = '', redisUrl = '', cycles = '0'] = process.argv.slice(2)

async function cycle(number: number): Promise<void> {
  const redis = new Redis(redisUrl, { lazyConnect: true })
  const credits = new CreditService({
    store: postgresStore(url),
    cache: redisCache(redis),
    payments: memoryPayments(),
    on: { added: () => undefined },
  })
  const userId = `cycle-${process.pid}-${number}`
  await credits.addCredits(userId, 10, 'calling', 'Gift')
  await credits.deductCredits(userId, 4, 'calling', 'Use')
  if ((await credits.getBalance(userId, 'calling')) !== 6) throw new Error(`cycle ${number} lost something`)
  await credits.close()
  redis.disconnect()
}

/** Sockets, timers and listeners of the process, as they are once everything that ends has ended. */
async function living(): Promise<Record<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, 200))
  const found: Record<string, number> = { listeners: 0 }
  for (const resource of process.getActiveResourcesInfo()) found[resource] = (found[resource] ?? 0) + 1
  for (const event of process.eventNames())
    found['listeners'] = (found['listeners'] ?? 0) + process.listenerCount(event)
  return found
}

for (let number = 0; number < 5; number += 1) await cycle(number)
const early = await living()
for (let number = 5; number < Number(cycles); number += 1) await cycle(number)
const late = await living()
const embedded = new CreditService({ store: pgliteStore() })
await embedded.addCredits('somebody', 10, 'calling', 'Gift')
await embedded.close()
process.stdout.write(JSON.stringify({ early, late }))
