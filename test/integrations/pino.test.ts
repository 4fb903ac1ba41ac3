import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory.js'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, UnavailableError } from '../../src/index.js'

/** The real pino with its own settings, and the lines it writes. */
function logging() {
  const lines: Record<string, unknown>[] = []
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>)
  const logger = pino({ level: 'debug', base: null, timestamp: false }, { write })
  return { logger, lines }
}

describe('a pino logger', () => {
  it('is taken as it is, and a child of it, too', async () => {
    const { logger, lines } = logging()
    const cache = memoryCache()
    cache.get = () => Promise.reject(new Error('the cache is gone'))
    const child = logger.child({ component: 'credits' })
    const credits = new CreditService({ store: memoryStore(), cache, logger: child })
    expect(await credits.getBalance('ada', 'calling')).toBe(0)
    expect(lines).toEqual([
      {
        level: 20,
        component: 'credits',
        err: expect.objectContaining({ type: 'Error', message: 'the cache is gone' }) as unknown,
        msg: 'the balance cache failed; going on without it',
      },
    ])
  })

  it('shows the message, the stack and the cause of an error without being told how', async () => {
    const { logger, lines } = logging()
    const store = memoryStore()
    const credits = new CreditService({ store, logger })
    await credits.addCredits('ada', 5, 'calling', 'Welcome')
    const held = { userId: 'ada', amount: 5, creditType: 'calling', description: 'A call' } as const
    const failed = credits.withHold(held, () => {
      store.update = () =>
        Promise.reject(new UnavailableError('The database is down', { cause: new Error('ECONNRESET') }))
      return 'done'
    })
    await expect(failed).rejects.toThrow('The database is down')
    expect(lines).toHaveLength(1)
    const [line] = lines
    expect(line).toMatchObject({
      level: 50,
      amount: 5,
      err: { code: 'UNAVAILABLE', message: expect.stringContaining('ECONNRESET') as unknown },
    })
    expect(Reflect.get(Object(line?.['err']), 'stack')).toContain('UnavailableError')
  })

  it('learns ids, and nothing of what people wrote', async () => {
    const { logger, lines } = logging()
    const told = new Promise<void>((resolve) => {
      const deducted = () => {
        resolve()
        throw new Error('the host could not be told')
      }
      const credits = new CreditService({ store: memoryStore(), logger, on: { deducted } })
      const use = { userId: 'ada', amount: 1, creditType: 'calling', idempotencyKey: 'a-key' } as const
      const texts = { description: 'About my divorce', referenceId: 'case-9', metadata: { phone: '+44 20 7946 0000' } }
      void credits
        .addCredits({ userId: 'ada', amount: 5, creditType: 'calling', description: 'Welcome' })
        .then(() => credits.deductCredits({ ...use, ...texts }))
    })
    await told
    await expect.poll(() => lines.length).toBeGreaterThan(0)
    expect(lines[0]).toMatchObject({
      level: 40,
      kind: 'deducted',
      userId: 'ada',
      err: { message: 'the host could not be told' },
    })
    for (const text of ['divorce', 'case-9', '7946', 'a-key']) expect(JSON.stringify(lines)).not.toContain(text)
  })

  it('finds the error of every line of ours under `err`', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const sources = ['src', 'adapters'].flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.tsx?$/.test(path))
        .flatMap((path) => readFileSync(`${root}${folder}/${path}`, 'utf8').split('\n')),
    )
    const logged = sources.filter((line) => /logger\S*\(\{/i.test(line))
    expect(logged.filter((line) => line.includes('err: error')).length).toBeGreaterThan(10)
    expect(logged.filter((line) => /\berror\b[,} ]/.test(line.replace(/err: error\b/, '').replace(/'.*/, '')))).toEqual(
      [],
    )
  })
})
