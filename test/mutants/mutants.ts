/** A bug of one line, planted to see that a test breaks. */
export interface Mutant {
  name: string
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
  /** What users were promised, and would not get any more. */
  breaks: string
  /** Where it has to be caught: the cheapest files that ought to. */
  tests: readonly string[]
}

const MEMORY = 'test/stores/memory.test.ts'
const POOL = 'test/stores/pool.test.ts'
const SAME_ANSWERS = 'test/ledger/fast-path.test.ts'
const RACES = 'test/races/holds-and-transfers.test.ts'

/** Rules of the ledger. */
const LEDGER: readonly Mutant[] = [
  {
    name: 'a grant lives a moment too long',
    file: 'src/ledger/grant.ts',
    find: 'grant.expiresAt !== null && grant.expiresAt.getTime() <= now.getTime()',
    replace: 'grant.expiresAt !== null && grant.expiresAt.getTime() < now.getTime()',
    breaks: 'A grant ends at its `expiresAt`, not after it.',
    tests: ['test/behaviour/grants.test.ts', MEMORY],
  },
  {
    name: 'what ends last burns first',
    file: 'src/ledger/grant.ts',
    find: 'compareTimes(a.expiresAt, b.expiresAt, Infinity)',
    replace: 'compareTimes(b.expiresAt, a.expiresAt, Infinity)',
    breaks: 'Credits that end sooner are used first.',
    tests: ['test/behaviour/grants.test.ts'],
  },
  {
    name: 'paid credits burn before gifts',
    file: 'src/ledger/grant.ts',
    find: 'Number(isPaid(a)) - Number(isPaid(b))',
    replace: 'Number(isPaid(b)) - Number(isPaid(a))',
    breaks: 'Promotional credits are used before paid ones.',
    tests: ['test/behaviour/grants.test.ts'],
  },
  {
    name: 'a capture may take one credit too many',
    file: 'src/ledger/hold.ts',
    find: 'if (over > 0 && !allowOver) {',
    replace: 'if (over > 1 && !allowOver) {',
    breaks: 'A capture never takes more than its hold unless it is allowed to.',
    tests: ['test/behaviour/holds.test.ts'],
  },
  {
    name: 'a released hold keeps its credits',
    file: 'src/ledger/hold.ts',
    find: '  posting.unpin(pinned)\n',
    replace: '  posting.unpin([])\n',
    breaks: 'What a hold did not use comes back when it ends.',
    tests: ['test/behaviour/holds.test.ts'],
  },
  {
    name: 'a refund may give one credit too many',
    file: 'src/ledger/refund.ts',
    find: 'if (refunded > total) throw',
    replace: 'if (refunded > total + 1) throw',
    breaks: 'Refunds of a use never exceed it in sum.',
    tests: ['test/behaviour/refunds.test.ts'],
  },
  {
    name: 'a clawback rounds up',
    file: 'src/ledger/purchase.ts',
    find: 'Number((BigInt(credits) * reversed) / captured)',
    replace: 'Number((BigInt(credits) * reversed + captured - 1n) / captured)',
    breaks: 'A partial payment refund takes back its share, rounded down.',
    tests: ['test/ledger/clawback-target.test.ts'],
  },
  {
    name: 'a clawback counts from nothing',
    file: 'src/ledger/clawback.ts',
    find: 'const missing = target - purchase.clawed',
    replace: 'const missing = target',
    breaks: 'The same payment refund, told twice, takes credits once.',
    tests: ['test/ledger/payment-orders.test.ts', 'test/ledger/money-back.test.ts'],
  },
  {
    name: 'a won dispute keeps the credits',
    file: 'src/ledger/purchase.ts',
    find: "new Set(['pending', 'succeeded', 'open', 'lost'])",
    replace: "new Set(['pending', 'succeeded', 'open', 'lost', 'won'])",
    breaks: 'A won dispute gives the credits back.',
    tests: ['test/ledger/payment-orders.test.ts', 'test/payments/disputes.test.ts'],
  },
  {
    name: 'an unpaid checkout grants',
    file: 'src/ledger/fulfillment.ts',
    find: "if (payment.state !== 'paid' && payment.state !== 'free') return",
    replace: "if (payment.state === 'open') return",
    breaks: 'Credits come only for money that came.',
    tests: ['test/payments/buying.test.ts', 'test/payments/checkout-scenarios.test.ts'],
  },
  {
    name: 'a payment of another price grants',
    file: 'src/ledger/fulfillment.ts',
    find: 'if (payment.subtotalMinor !== expected) return',
    replace: 'if (payment.subtotalMinor > expected) return',
    breaks: 'A payment that does not match what was sold is quarantined.',
    tests: ['test/payments/quarantine.test.ts', 'test/payments/trust.test.ts'],
  },
  {
    name: 'a test payment grants in live mode',
    file: 'src/ledger/fulfillment.ts',
    find: 'if (purchase.livemode !== payment.livemode) return',
    replace: 'if (purchase.livemode && payment.livemode && purchase.sessionId === null) return',
    breaks: 'Test money buys no live credits.',
    tests: [
      'test/payments/quarantine.test.ts',
      'test/behaviour/payment-events.test.ts',
      'test/ledger/late-settlement.test.ts',
    ],
  },
  {
    name: 'a key may be used for another amount',
    file: 'src/ledger/request.ts',
    find: 'if (canonicalJson(value) !== canonicalJson(storedValue(field, stored))) return field',
    replace:
      "if (field !== 'amount' && canonicalJson(value) !== canonicalJson(storedValue(field, stored))) return field",
    breaks: 'A key that was used with other input is refused, and the field named.',
    tests: [MEMORY],
  },
  {
    name: 'a limit lets one more through',
    file: 'src/ledger/limit.ts',
    find: 'used + usage[limit.of] <= limit.max) return',
    replace: 'used + usage[limit.of] <= limit.max + 1) return',
    breaks: 'A limit of 10 calls is a limit of 10 calls.',
    tests: ['test/behaviour/limits.test.ts'],
  },
  {
    name: 'new credits do not repay debt',
    file: 'src/ledger/posting.ts',
    find: 'repayingDebt(allocations, this.#account.debt, shortfallOf)',
    replace: 'repayingDebt(allocations, 0, shortfallOf)',
    breaks: 'Debt of a clawback is repaid by the next credits.',
    tests: ['test/ledger/money-back.test.ts', 'test/payments/money-back.test.ts'],
  },
  {
    name: 'who is in debt may spend',
    file: 'src/ledger/account.ts',
    find: 'return debt > 0 ? -debt : usable',
    replace: 'return usable',
    breaks: 'Spending is refused while there is debt.',
    tests: ['test/ledger/money-back.test.ts', 'test/payments/money-back.test.ts'],
  },
  {
    name: 'a refund is added to what was used',
    file: 'src/ledger/account-state.ts',
    find: 'account.totalUsed -= amount',
    replace: 'account.totalUsed += amount',
    breaks: '`totalUsed` is what was used, less what was refunded.',
    tests: ['test/behaviour/refunds.test.ts'],
  },
  {
    name: 'the audit overlooks a broken chain',
    file: 'src/ledger/audit.ts',
    find: 'transaction.balanceAfter, balance)',
    replace: 'transaction.balanceAfter, transaction.balanceAfter)',
    breaks: '`verify` finds a row whose balance does not follow from the one before.',
    tests: ['test/ledger/audit.test.ts'],
  },
]

/** What the service does beyond the ledger. */
const SERVICE: readonly Mutant[] = [
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
    tests: ['test/behaviour/balances.test.ts'],
  },
  {
    name: 'the cache is not told of writes',
    file: 'src/balances.ts',
    find: 'cache.invalidate(balanceCacheKey(account), account.version)',
    replace: 'cache.invalidate(`${balanceCacheKey(account)}:`, account.version)',
    breaks: 'Nobody reads a balance older than their own last write.',
    tests: ['test/behaviour/balances.test.ts'],
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

/** Statements, locks and the other edges. */
const ADAPTERS: readonly Mutant[] = [
  {
    name: 'the account is not locked',
    file: 'adapters/postgres/update.ts',
    find: 'order by a.user_id, a.credit_type for update of a`',
    replace: 'order by a.user_id, a.credit_type`',
    breaks: 'A balance is never overspent, whoever else writes.',
    tests: [RACES],
  },
  {
    name: 'the fast path does not lock',
    file: 'adapters/postgres/spend-statement.ts',
    find: "for no key update of a${when(!wait, ' skip locked')}",
    replace: '',
    breaks: 'A balance is never overspent, at any speed.',
    tests: ['test/races/fast-path.test.ts'],
  },
  {
    name: 'the fast path empties the head grant',
    file: 'adapters/postgres/spend-statement.ts',
    find: 'and total < head_remaining and',
    replace: 'and total <= head_remaining and',
    breaks: 'The account row always names a grant that has something left.',
    tests: [SAME_ANSWERS],
  },
  {
    name: 'the fast path forgets the time',
    file: 'adapters/postgres/spend-statement.ts',
    find: 'a.debt = 0 and (a.next_due_at is null or a.next_due_at > moment.now) as is_settled',
    replace: 'a.debt = 0 as is_settled',
    breaks: 'Credits that have ended are not spent, swept or not.',
    tests: [SAME_ANSWERS, POOL],
  },
  {
    name: 'the fast path forgets a pin',
    file: 'adapters/postgres/spend-statement.ts',
    find: 'g set held = g.held + c.taken - c.used',
    replace: 'g set held = g.held + c.taken - c.taken',
    breaks: 'Held credits stand at their grant.',
    tests: [SAME_ANSWERS],
  },
  {
    name: 'a hold does not move the version of keys',
    file: 'adapters/postgres/spend-statement.ts',
    find: 'key_version = case when c.taken > c.used then a.version + c.steps else a.key_version end',
    replace: 'key_version = a.key_version',
    breaks: 'A key is looked for where it surely can be seen.',
    tests: [SAME_ANSWERS, 'test/ledger/batches.test.ts'],
  },
  {
    name: 'a command writes although its key was used',
    file: 'adapters/postgres/write-statement.ts',
    find: 'where gate.ok and a.user_id = x.user_id',
    replace: 'where a.user_id = x.user_id',
    breaks: 'Of two calls with one key at once, one has an effect.',
    tests: [POOL, RACES],
  },
  {
    name: 'rows that did not go in are not missed',
    file: 'adapters/postgres/write-statement.ts',
    find: "if (written?.ok === 'false') {",
    replace: "if (written?.ok === 'never') {",
    breaks: 'A raced key is found and replayed, not an internal error.',
    tests: [POOL],
  },
  {
    name: 'a lost COMMIT is said to have failed',
    file: 'adapters/postgres/update.ts',
    find: 'if (error instanceof CommitUnknown) unsettled = error',
    replace: 'if (error instanceof CommitUnknown) unsettled = null',
    breaks: 'An unknown outcome is called unknown, and settled by its row.',
    tests: ['test/postgres/lost-connections.test.ts', 'test/stores/lost-answer.test.ts'],
  },
  {
    name: 'a grant begins a moment too late',
    file: 'adapters/postgres/account-states.ts',
    find: 'effective_at <= input.now)',
    replace: 'effective_at < input.now)',
    breaks: 'A grant begins at its `effectiveAt`, and PostgreSQL says what the ledger says.',
    tests: [POOL, 'test/ledger/stores-agree.test.ts'],
  },
  {
    name: 'PostgreSQL burns in another order',
    file: 'adapters/postgres/account-states.ts',
    find: "priority, coalesce(expires_at, 'infinity'), (${PAID}),",
    replace: "priority, coalesce(expires_at, 'infinity'),",
    breaks: 'The burn-down order is the same in every store.',
    tests: [POOL, 'test/ledger/stores-agree.test.ts'],
  },
  {
    name: 'a failed event lets later ones pass',
    file: 'adapters/postgres/outbox-statements.ts',
    find: 'and o.parked_at is null and o.next_attempt_at <= input.now and ${told}\n         for update skip locked',
    replace: 'and o.next_attempt_at <= input.now and ${told}\n         for update skip locked',
    breaks: 'An event that is parked stays parked, and its account goes on.',
    tests: ['test/postgres/outbox.test.ts', POOL],
  },
  {
    name: 'a dead process keeps its directory',
    file: 'adapters/postgres/directory-lock.ts',
    find: "if (fields[0] === 'Z' || fields[0] === 'X') return 'ended'",
    replace: "if (fields[0] === 'R' || fields[0] === 'S') return 'ended'",
    breaks: 'One process at a time opens a directory of PGlite.',
    tests: ['test/postgres/directory-lock.test.ts'],
  },
  {
    name: 'a refusal of the database is told with its SQL',
    file: 'adapters/postgres/sql-errors.ts',
    find: "return new Error(sqlState === undefined ? 'Database error' : `Database error ${sqlState}`, { cause: error })",
    replace: 'return error instanceof Error ? error : new Error(String(error))',
    breaks: 'No message shows SQL or parameters.',
    tests: ['test/postgres/sql-errors.test.ts'],
  },
  {
    name: 'any signature will do',
    file: 'adapters/stripe/signature.ts',
    find: 'if (!(await isSigned(payload, signature, secrets))) throw',
    replace: 'if (!(await isSigned(payload, signature, secrets)) && secrets.length === 0) throw',
    breaks: 'A forged webhook writes nothing.',
    tests: ['test/payments/forgery.test.ts'],
  },
  {
    name: 'old signatures are accepted',
    file: 'adapters/stripe/signature.ts',
    find: 'const TOLERANCE_SECONDS = 300\n',
    replace: 'const TOLERANCE_SECONDS = 300_000\n',
    breaks: 'A webhook that was recorded can not be replayed later.',
    tests: ['test/payments/forgery.test.ts', 'test/stripe'],
  },
  {
    name: 'a delayed payment counts as paid',
    file: 'adapters/stripe/checkout-session.ts',
    find: "if (payment_status === 'paid') return 'paid'",
    replace: "if (payment_status !== 'no_payment_required') return 'paid'",
    breaks: 'A delayed payment grants when its money has come.',
    tests: ['test/payments/checkout-scenarios.test.ts', 'test/payments/buying.test.ts'],
  },
  {
    name: 'Redis takes older balances',
    file: 'adapters/redis/entry.ts',
    find: 'if version and tonumber(version) > tonumber(ARGV[1]) then return 0 end',
    replace: 'if version and tonumber(version) < 0 then return 0 end',
    breaks: 'An older balance never overwrites a newer one.',
    tests: ['test/cache/redis.test.ts'],
  },
  {
    name: 'the memory cache takes older balances',
    file: 'adapters/memory/cache.ts',
    find: 'known.version > version) return',
    replace: 'known.version > version + 1_000_000) return',
    breaks: 'An older balance never overwrites a newer one.',
    tests: ['test/cache/memory.test.ts'],
  },
]

/** A file's text with the bug in it. */
export function plant(source: string, { find, replace }: Mutant): string {
  // A function, since `$` means something in a replacement's text.
  return source.replace(find, () => replace)
}

export const MUTANTS: readonly Mutant[] = [...LEDGER, ...SERVICE, ...ADAPTERS]
