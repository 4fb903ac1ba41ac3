import type { Mutant } from './mutants.js'

const POOL = 'test/stores/pool.test.ts'

/** What the service does beyond the ledger. */
export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    name: 'work that threw is charged',
    file: 'src/with-hold.ts',
    find: '    await letGo(session, hold)\n    throw error\n',
    replace: '    await charge(session, hold, cost)\n    throw error\n',
    breaks: 'Work that failed costs nothing.',
    tests: ['test/behaviour/with-hold.test.ts'],
  },
  {
    name: 'a webhook is answered before its commit',
    file: 'src/webhook.ts',
    find: '    await dependencies.process(event)\n',
    replace: '    void dependencies.process(event).catch(() => undefined)\n',
    breaks: '2xx is answered only after the credits are written.',
    tests: ['test/mounts/webhook.test.ts'],
  },
  {
    name: 'calls of one account overtake each other',
    file: 'src/spend-queue.ts',
    find: 'line.waiting.unshift(...left)',
    replace: 'line.waiting.push(...left)',
    breaks: 'Calls of one account keep their order.',
    tests: ['test/spend-queue.test.ts'],
  },
  {
    name: 'one key goes twice into a batch',
    file: 'src/spend-queue.ts',
    find: 'if (own !== null && keys.has(own)) break',
    replace: 'if (own !== null && keys.has(own)) keys.clear()',
    breaks: 'Two calls with one key at once: the second finds what the first wrote.',
    tests: ['test/spend-queue.test.ts', POOL],
  },
  {
    name: 'a lost batch is said to have failed',
    file: 'src/spend-queue.ts',
    find: "this.#decideInGeneral(part, isCreditError(error, 'OUTCOME_UNKNOWN'))",
    replace: 'this.#decideInGeneral(part, false)',
    breaks: 'An unknown outcome is called unknown.',
    tests: ['test/spend-queue.test.ts', 'test/postgres/lost-batches.test.ts'],
  },
  {
    name: 'a cached balance outlives a grant',
    file: 'src/balances.ts',
    find: 'Math.min(staleAfterMs ?? Infinity, cache.ttlSeconds * 1000)',
    replace: 'cache.ttlSeconds * 1000',
    breaks: 'A cached balance ends when time alone changes it.',
    tests: ['test/behaviour/cached-balances.test.ts'],
  },
  {
    name: 'the cache is not told of writes',
    file: 'src/balances.ts',
    find: 'cache.invalidate(balanceCacheKey(account), account.version)',
    replace: 'cache.invalidate(`${balanceCacheKey(account)}:`, account.version)',
    breaks: 'Nobody reads a balance older than their own last write.',
    tests: ['test/behaviour/cached-balances.test.ts'],
  },
  {
    name: 'requests of other sites are let in',
    file: 'src/api/cross-origin.ts',
    find: 'if (site === null && (origin === null || isSameHost(origin, request))) return',
    replace: 'if (site !== null || origin === null || isSameHost(origin, request)) return',
    breaks: "No other site can make a user's browser change anything.",
    tests: ['test/doors/rest.test.ts'],
  },
  {
    name: 'a user may do what administrators may',
    file: 'src/api/procedure.ts',
    find: 'if (!caller.isAdmin) throw new ForbiddenError()',
    replace: 'if (caller.userId === "") throw new ForbiddenError()',
    breaks: 'Everybody does exactly what their role may.',
    tests: ['test/doors/authorisation.test.ts'],
  },
  {
    name: 'the hold of another user can be captured',
    file: 'src/session.ts',
    find: '(await this.userId({ userId: input.userId })) === found.userId',
    replace: '(await this.userId({ userId: input.userId })) !== ""',
    breaks: "With `userId`, only one's own transactions and holds are touched.",
    tests: ['test/behaviour/holds.test.ts', 'test/behaviour/refunds.test.ts'],
  },
]
