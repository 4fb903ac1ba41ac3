import fc from 'fast-check'
import type { ClawbackPolicy, CreditServiceOptions } from '../../src/index.js'
import type { GrantSource } from '../../src/ledger/grant.js'
import type { RefundPolicy } from '../../src/ledger/refund.js'

/** The accounts of a history: two users, and a second credit type for the first of them. Steps name them by number. */
export const ACCOUNTS = [
  { user: 0, creditType: 'calling' },
  { user: 1, creditType: 'calling' },
  { user: 0, creditType: 'scraping' },
] as const
export type HistoryCreditType = (typeof ACCOUNTS)[number]['creditType']

/** A quarter of a day: so that grants, holds and periods of plans begin and end at the very moment of another step. */
export const UNIT_MS = 21_600_000

/**
 * Steps that the slow model knows. Times are milliseconds from the step's own now; `use`, `hold` and `grant` count back
 * from the latest of them, see `latestOf`.
 */
export type ModelledStep =
  | {
      kind: 'add'
      at: number
      amount: number
      startsIn: number | null
      lasts: number | null
      priority: number
      transactionType: 'purchase' | 'refund' | 'adjustment'
      source: GrantSource | null
    }
  | { kind: 'deduct'; at: number; amount: number }
  | { kind: 'deductMany'; items: { at: number; amount: number }[] }
  | { kind: 'spend'; at: number; minutes: number }
  | { kind: 'refund'; use: number; amount: number | null }
  | { kind: 'adjust'; at: number; amount: number }
  | { kind: 'hold'; at: number; amount: number; lasts: number }
  | { kind: 'capture'; hold: number; amount: number | null; allowOver: boolean; final: boolean }
  | { kind: 'release'; hold: number }
  | { kind: 'extend'; hold: number; lasts: number }
  | { kind: 'void'; grant: number }
  | { kind: 'transfer'; from: 0 | 1; amount: number }
  | { kind: 'runDue' }
  | { kind: 'wait'; ms: number }

/** Steps whose effect only the ledger knows. */
export type WiderStep =
  | { kind: 'startPlan'; user: 0 | 1; plan: string; anchorIn: number | null }
  | { kind: 'changePlan'; user: 0 | 1; plan: string }
  | { kind: 'endPlan'; user: 0 | 1 }
  /** A grant from the list of open ones, by its place there: also one that a plan or a payment made. */
  | { kind: 'voidListed'; at: number; place: number }
  /** `told`: the provider tells us of what has changed, at once. */
  | { kind: 'buy'; user: 0 | 1; quantity: number; told: boolean }
  | { kind: 'moneyBack'; purchase: number; amountMinor: number; status: 'pending' | 'succeeded'; told: boolean }
  | { kind: 'moneyStays'; purchase: number; refund: number; told: boolean }
  | { kind: 'tell'; purchase: number; what: 'checkout' | 'payment_succeeded' | 'payment_reversed' }
  | { kind: 'rebuild'; at: number }

export type Step = ModelledStep | WiderStep

/** The one that a step means: so many before the latest, and once more around where there are not so many. */
export function latestOf<T>(made: readonly T[], before: number): T | undefined {
  return made.at(-1 - (before % made.length))
}

/** What the service is told at its construction. */
export interface Rules {
  refundPolicy: RefundPolicy
  clawbackPolicy: ClawbackPolicy
  limited: boolean
}

export interface History<S extends Step = Step> {
  rules: Rules
  steps: S[]
}

export const PACKAGE = { key: 'pack', name: 'Pack', creditAmount: 40, price: 999, creditType: 'calling' } as const

export const OPERATIONS = {
  transcribe: { creditType: 'calling', cost: { unit: 'minutes', credits: 2, per: 3 } },
  crawl: { creditType: 'scraping', cost: { unit: 'minutes', credits: 2, per: 3 } },
} satisfies CreditServiceOptions<HistoryCreditType>['operations']

export const PLANS = {
  basic: { grants: [{ creditType: 'calling', amount: 20, every: 'day' }] },
  plus: {
    grants: [
      { creditType: 'calling', amount: 35, every: 'day', rollover: { max: 30 }, source: 'subscription', priority: 1 },
      { creditType: 'scraping', amount: 10, every: 'day' },
    ],
  },
  saver: {
    grants: [
      { creditType: 'calling', amount: 12, every: 'day', rollover: {}, priority: -1 },
      { creditType: 'calling', amount: 50, every: 'week' },
    ],
  },
} satisfies CreditServiceOptions<HistoryCreditType>['plans']

export const LIMITS = {
  calling: [
    { max: 4, per: 'day' },
    { max: 120, per: 'week', of: 'credits' },
  ],
  scraping: [{ max: 40, per: 'day', of: 'credits' }],
} satisfies CreditServiceOptions<HistoryCreditType>['limits']

/**
 * Fixed, so that a failure in CI is the same everywhere. `TEST_HISTORIES` runs more of them; `TEST_SEED` other ones: a
 * number, or `random`.
 */
export const SETTINGS = { seed: seedFrom(process.env.TEST_SEED), numRuns: Number(process.env.TEST_HISTORIES ?? 100) }

function seedFrom(given: string | undefined): number {
  if (given === undefined || given === '') return 20_261_122
  const seed = given === 'random' ? Date.now() % 2 ** 31 : Number(given)
  if (!Number.isSafeInteger(seed)) throw new Error(`TEST_SEED must be a whole number or "random", not "${given}"`)
  return seed
}

/** Time enough for so many milliseconds a history, and for shrinking the one that fails. */
export function timeFor(numRuns: number, msEach: number): number {
  return 60_000 + numRuns * msEach
}

/** Small against what comes in, so that most can be paid, and some can not. */
const amount = fc.integer({ min: 1, max: 40 })
const at = fc.constantFrom(0, 0, 0, 0, 1, 1, 2)
const user = fc.constantFrom(0 as const, 0 as const, 1 as const)
const span = fc.integer({ min: 1, max: 8 }).map((units) => units * UNIT_MS)
const pause = fc.constantFrom(1, 1, 1, 2, 2, 3, 5, 9).map((units) => units * UNIT_MS)
/** Counted from the latest: mostly one of the last. */
const latest = fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3)

/** Null once in `freq` times. */
const orNull = <T>(arbitrary: fc.Arbitrary<T>, freq: number) => fc.option(arbitrary, { nil: null, freq })
const constant = <K extends string>(kind: K): fc.Arbitrary<K> => fc.constant(kind)

const modelledSteps: fc.WeightedArbitrary<ModelledStep>[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      kind: constant('add'),
      at,
      amount: fc.integer({ min: 1, max: 150 }),
      startsIn: orNull(fc.oneof(span, fc.constant(-UNIT_MS), fc.constant(0)), 2),
      lasts: orNull(span, 3),
      priority: fc.integer({ min: -1, max: 1 }),
      transactionType: fc.constantFrom('purchase' as const, 'refund' as const, 'adjustment' as const),
      source: orNull(fc.constantFrom<GrantSource>('purchase', 'subscription', 'promotional', 'adjustment'), 5),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: constant('deduct'), at, amount }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: constant('deductMany'),
      items: fc.array(fc.record({ at, amount: fc.integer({ min: 1, max: 25 }) }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: constant('spend'), at, minutes: fc.integer({ min: 1, max: 60 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: constant('refund'), use: latest, amount: orNull(amount, 2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: constant('adjust'),
      at,
      amount: fc.integer({ min: -40, max: 40 }).filter((value) => value !== 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: constant('hold'), at, amount, lasts: span }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: constant('capture'),
      hold: latest,
      amount: orNull(amount, 4),
      allowOver: fc.boolean(),
      final: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: constant('release'), hold: latest }) },
  { weight: 1, arbitrary: fc.record({ kind: constant('extend'), hold: latest, lasts: span }) },
  { weight: 1, arbitrary: fc.record({ kind: constant('void'), grant: latest }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: constant('transfer'), from: fc.constantFrom(0 as const, 1 as const), amount }),
  },
  { weight: 1, arbitrary: fc.record({ kind: constant('runDue') }) },
  { weight: 4, arbitrary: fc.record({ kind: constant('wait'), ms: pause }) },
]

const plan = fc.constantFrom(...Object.keys(PLANS))
const told = fc.constantFrom(true, true, false)
const anchorIn = orNull(
  fc.oneof(
    span,
    span.map((ms) => -ms),
    fc.constant(0),
  ),
  2,
)

const widerSteps: fc.WeightedArbitrary<WiderStep>[] = [
  { weight: 2, arbitrary: fc.record({ kind: constant('startPlan'), user, plan, anchorIn }) },
  { weight: 2, arbitrary: fc.record({ kind: constant('changePlan'), user, plan }) },
  { weight: 1, arbitrary: fc.record({ kind: constant('endPlan'), user }) },
  { weight: 1, arbitrary: fc.record({ kind: constant('voidListed'), at, place: fc.nat({ max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: constant('buy'), user, quantity: fc.integer({ min: 1, max: 2 }), told }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: constant('moneyBack'),
      purchase: latest,
      amountMinor: fc.oneof(fc.integer({ min: 1, max: 700 }), fc.constantFrom(333, 999)),
      status: fc.constantFrom('pending' as const, 'succeeded' as const),
      told,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: constant('moneyStays'), purchase: latest, refund: fc.nat({ max: 2 }), told }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: constant('tell'),
      purchase: latest,
      what: fc.constantFrom('checkout' as const, 'payment_succeeded' as const, 'payment_reversed' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: constant('rebuild'), at }) },
]

const LENGTH = { minLength: 1, maxLength: 60, size: 'max' } as const

/** Histories of everything the ledger does. */
export const allHistories: fc.Arbitrary<History> = fc.record({
  rules: fc.record({
    refundPolicy: fc.constantFrom<RefundPolicy>('expire', 'regrant', 'extend'),
    clawbackPolicy: fc.constantFrom<ClawbackPolicy>('debt', 'clamp'),
    limited: fc.constantFrom(false, false, true),
  }),
  steps: fc.array(fc.oneof<fc.WeightedArbitrary<Step>[]>(...modelledSteps, ...widerSteps), LENGTH),
})

/** Histories of what the slow model knows. */
export const modelledHistories: fc.Arbitrary<History<ModelledStep>> = fc.record({
  rules: fc.record({
    refundPolicy: fc.constantFrom<RefundPolicy>('expire', 'regrant', 'extend'),
    clawbackPolicy: fc.constant<ClawbackPolicy>('debt'),
    limited: fc.constant(false),
  }),
  steps: fc.array(fc.oneof(...modelledSteps), LENGTH),
})
