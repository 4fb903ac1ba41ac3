import * as z from 'zod'
import { newRowId } from './row-id.js'
import type { UserId, WriteOptions } from './credit-inputs.js'
import type { CreditTypes } from './credit-types.js'
import { InvalidInputError } from './errors.js'
import { ownKey } from './holds.js'
import * as inputs from './inputs.js'
import { GRANT_SOURCES, type GrantSource } from './ledger/grant.js'
import { type Rhythm, RHYTHMS } from './ledger/period.js'
import { assignPlan, type PlanAssignment, type PlanGrant, runningPeriodEnd, type Schedule } from './ledger/schedule.js'
import { UPGRADE_POLICIES, type UpgradePolicy } from './ledger/subscription.js'
import type { JsonValue } from './ledger/transaction.js'
import type { CreditStore } from './ports/store.js'
import type { Session } from './session.js'

/** Credits that come again and again. */
export interface Plan<T extends string = string> {
  grants: readonly PlanGrantOption<T>[]
  /** Recurring price of the payment provider's that sells the plan; several where it is sold monthly and yearly. */
  stripePriceId?: string | readonly string[] | undefined
  /**
   * What an upgrade in the middle of a period that is paid for at once brings at once: its share of the better plan's
   * credits (`prorate`, the default), all of what is missing (`full`), or nothing until the next period (`none`).
   */
  upgrade?: UpgradePolicy | undefined
  /**
   * The credits of a subscription's last paid period stay so long after its end while the next payment is on its way; once
   * it comes, or the subscription ends, they go. Default 86 400: a day.
   */
  graceSeconds?: number | undefined
}

/**
 * What a plan grants of one credit type in one rhythm. A plan may grant a type in several rhythms, but only once in
 * each.
 */
export interface PlanGrantOption<T extends string = string> {
  creditType: T
  /** Credits per period, a positive integer. */
  amount: number
  /** Periods are counted from the day the plan starts, in UTC: 31 January, 28 February, 31 March. */
  every: Rhythm
  /** Unused credits that stay when a period ends: up to `max`, or all. Default: none, they end with their period. */
  rollover?: { max?: number | undefined } | undefined
  /** Default `promotional`; `subscription` for credits that are paid for, the default where there is a `stripePriceId`. */
  source?: GrantSource | undefined
  /** Credits for the whole of a subscription's free trial. Default 0. */
  trialAmount?: number | undefined
  /** Lower burns first. −1,000,000 to 1,000,000, default 0. */
  priority?: number | undefined
}

const DAY_SECONDS = 86_400
const MAX_GRACE_SECONDS = 31 * DAY_SECONDS

const planOption = z.strictObject({
  grants: z
    .array(
      z.strictObject({
        creditType: z.string(),
        amount: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
        every: z.enum(RHYTHMS),
        rollover: z.strictObject({ max: z.number().int().positive().optional() }).optional(),
        source: z.enum(GRANT_SOURCES).optional(),
        trialAmount: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).default(0),
        priority: z.number().int().min(-1_000_000).max(1_000_000).default(0),
      }),
    )
    .min(1),
  stripePriceId: z.union([inputs.identifier.transform((id) => [id]), z.array(inputs.identifier).min(1)]).optional(),
  upgrade: z.enum(UPGRADE_POLICIES).default('prorate'),
  graceSeconds: z.number().int().nonnegative().max(MAX_GRACE_SECONDS).default(DAY_SECONDS),
})

/** A plan, checked. */
export interface CheckedPlan {
  name: string
  grants: readonly PlanGrant[]
  /** The prices that sell it, the first one by default. */
  priceIds: readonly string[]
  upgrade: UpgradePolicy
}

/** The plans of one service, checked once. */
export class Plans<T extends string> {
  readonly #plans: ReadonlyMap<string, CheckedPlan>
  readonly #byPrice: ReadonlyMap<string, CheckedPlan>
  /** Every credit type that any plan grants: a change of plans locks them all. */
  readonly creditTypes: readonly T[]

  constructor(plans: { [name: string]: Plan<T> }, types: CreditTypes<T>) {
    this.#plans = new Map(Object.entries(plans).map(([name, plan]) => [name, checkPlan(name, plan, types)]))
    this.#byPrice = plansByPrice([...this.#plans.values()])
    const granted = new Set(
      [...this.#plans.values()].flatMap(({ grants }) => grants.map(({ creditType }) => creditType)),
    )
    this.creditTypes = types.names.filter((name) => granted.has(name))
  }

  /** The plan that a price of the payment provider's sells; null: none of ours. */
  byPrice(priceId: string | null): CheckedPlan | null {
    return priceId === null ? null : (this.#byPrice.get(priceId) ?? null)
  }

  plan(name: string): CheckedPlan {
    const plan = this.#plans.get(name)
    if (plan !== undefined) return plan
    const known = [...this.#plans.keys()].join(', ') || 'none'
    throw new InvalidInputError([{ path: 'plan', message: `"${name}" is not configured; known: ${known}` }])
  }
}

function plansByPrice(plans: readonly CheckedPlan[]): Map<string, CheckedPlan> {
  const byPrice = new Map<string, CheckedPlan>()
  for (const plan of plans) {
    for (const priceId of plan.priceIds) {
      const other = byPrice.get(priceId)
      if (other !== undefined) {
        const message = `"${priceId}" sells the plan "${other.name}" already`
        throw new InvalidInputError([{ path: `plans.${plan.name}.stripePriceId`, message }])
      }
      byPrice.set(priceId, plan)
    }
  }
  return byPrice
}

function checkPlan<T extends string>(name: string, plan: Plan<T>, types: CreditTypes<T>): CheckedPlan {
  const checked = planOption.safeParse(plan)
  if (!checked.success) {
    const issues = checked.error.issues.map(({ path, message }) => ({
      path: ['plans', name, ...path].join('.'),
      message,
    }))
    throw new InvalidInputError(issues)
  }
  const { stripePriceId: priceIds = [], upgrade, graceSeconds } = checked.data
  const usual = priceIds.length > 0 ? ('subscription' as const) : ('promotional' as const)
  const grants = checked.data.grants.map(({ creditType, rollover, source = usual, ...rest }): PlanGrant => {
    const rolloverMax = rollover === undefined ? 0 : (rollover.max ?? null)
    return { ...rest, creditType: types.resolve(creditType), source, rolloverMax, graceSeconds }
  })
  const rhythms = grants.map(({ creditType, every }) => `${creditType} every ${every}`)
  const twice = rhythms.find((rhythm, index) => rhythms.indexOf(rhythm) !== index)
  if (twice !== undefined)
    throw new InvalidInputError([{ path: `plans.${name}`, message: `grants ${twice} twice; add the amounts up` }])
  return { name, grants, priceIds, upgrade }
}

/** A user's plan, or one of their ended ones. */
export interface UserPlan<T extends string = string> {
  plan: string
  /** `ended` plans grant nothing more; what they granted stays until its period ends. */
  status: 'active' | 'ended'
  grants: {
    creditType: T
    amount: number
    every: Rhythm
    /** Unused credits that may stay when a period ends; 0: none; null: all. */
    rolloverMax: number | null
    /** When the running period ends, and (of an active plan) the next credits come. */
    nextAt: Date
  }[]
}

/**
 * Whose plan, and which, for `changePlan`. `plan` is its name in the option `plans`. `actor` and `metadata` are not
 * kept: a plan's grants come from the plan.
 */
export interface PlanInput extends WriteOptions {
  userId: UserId
  plan: string
}

/** What `startPlan` takes. For plans that nobody pays for by subscription; those begin with `marketplace.subscribe`. */
export interface StartPlanInput extends PlanInput {
  /** Periods are counted from here; in the past, the running one is granted. Default: now. */
  anchor?: Date | null | undefined
}

const planInput = z.object({ userId: inputs.userId, plan: inputs.configuredName, ...inputs.everyWrite })
const startPlanInput = planInput.extend({ anchor: inputs.optional(inputs.moment) })
const endPlanInput = planInput.omit({ plan: true })

/** Which plan a user may have before a command, for it to be allowed; null: none; undefined: any. */
interface PlanChange {
  operation: 'startPlan' | 'changePlan' | 'endPlan'
  to: string | null
  anchorAt: Date | null
}

export async function startPlan<T extends string>(session: Session<T>, given: StartPlanInput): Promise<UserPlan<T>> {
  const input = inputs.parseInput(startPlanInput, given)
  return setPlan(session, input, { operation: 'startPlan', to: input.plan, anchorAt: input.anchor })
}

export async function changePlan<T extends string>(session: Session<T>, given: PlanInput): Promise<UserPlan<T>> {
  const input = inputs.parseInput(planInput, given)
  return setPlan(session, input, { operation: 'changePlan', to: input.plan, anchorAt: null })
}

export async function endPlan<T extends string>(
  session: Session<T>,
  given: Omit<PlanInput, 'plan'>,
): Promise<UserPlan<T> | null> {
  const input = inputs.parseInput(endPlanInput, given)
  await setPlan(session, input, { operation: 'endPlan', to: null, anchorAt: null })
  return planOf(session, await session.store(input.tx), await session.userId(input))
}

/** The user's plan: the active one, else the one that ended last; null: they never had one. */
export async function getPlan<T extends string>(
  session: Session<T>,
  given: { userId: UserId },
): Promise<UserPlan<T> | null> {
  const { userId } = inputs.parseInput(z.object({ userId: inputs.userId }), given)
  return planOf(session, (await session.open()).store, await session.userId({ userId }))
}

/** The same on a store that may be within the host's transaction. */
async function planOf<T extends string>(
  session: Session<T>,
  store: CreditStore,
  userId: string,
): Promise<UserPlan<T> | null> {
  const schedules = await store.listSchedules(userId)
  const own = schedules.filter(({ subscriptionId }) => subscriptionId === null)
  const last = [...own].sort(compareCurrency).at(-1)
  return last === undefined ? null : toUserPlan(own, last, session.now() ?? new Date())
}

function compareCurrency(a: Schedule, b: Schedule): number {
  return Number(a.status === 'active') - Number(b.status === 'active') || a.updatedAt.getTime() - b.updatedAt.getTime()
}

function toUserPlan<T extends string>(
  schedules: readonly Schedule[],
  { plan, status }: Schedule,
  now: Date,
): UserPlan<T> {
  const grants = schedules
    .filter((schedule) => schedule.plan === plan && schedule.status === status)
    .map((schedule) => {
      const { amount, every, rolloverMax } = schedule
      // The store only holds types this service was configured with, or older ones the host has since removed.
      return {
        creditType: schedule.creditType as T,
        amount,
        every,
        rolloverMax,
        nextAt: runningPeriodEnd(schedule, now),
      }
    })
  return { plan, status, grants }
}

async function setPlan<T extends string>(
  session: Session<T>,
  input: z.output<typeof endPlanInput>,
  change: PlanChange,
): Promise<UserPlan<T>> {
  const { commands } = await session.open()
  const store = await session.store(input.tx)
  const userId = await session.userId(input)
  const grants = change.to === null ? [] : session.plans.plan(change.to).grants
  const before = await store.listSchedules(userId)
  const creditTypes = new Set<string>([...session.plans.creditTypes, ...before.map(({ creditType }) => creditType)])
  const id = newRowId()
  const anchor: JsonValue = change.anchorAt?.toISOString() ?? null
  const assignment: PlanAssignment = {
    plan: change.to ?? '',
    grants,
    subscriptionId: null,
    anchorAt: change.anchorAt,
  }
  await commands.run<null>(
    store,
    {
      id,
      userId,
      key: input.idempotencyKey ?? ownKey(id),
      request: [
        ['operation', change.operation],
        ['plan', change.to],
        ['anchor', anchor],
      ],
      accounts: [...creditTypes].map((creditType) => ({ userId, creditType })),
      load: { grants: 'open', schedules: true },
    },
    ({ accounts }, now) => {
      const postings = accounts.map((state) => commands.posting(state, now))
      const active = postings
        .flatMap(({ schedules }) => schedules)
        .find(({ status, subscriptionId }) => status === 'active' && subscriptionId === null)
      assertAllowed(change, active?.plan ?? null)
      for (const posting of postings) assignPlan(posting, assignment)
      const touched = postings.filter(({ touched }) => touched)
      return { result: null, main: null, accounts: touched.map((posting) => posting.finish()), keptResult: {} }
    },
    () => null,
  )
  return (await planOf(session, store, userId)) ?? { plan: assignment.plan, status: 'ended', grants: [] }
}

function assertAllowed({ operation, to }: PlanChange, active: string | null): void {
  const refuse = (message: string): never => {
    throw new InvalidInputError([{ path: 'plan', message }])
  }
  if (operation === 'startPlan' && active !== null && active !== to)
    refuse(`the user already has the plan "${active}"; use changePlan`)
  if (operation === 'changePlan' && active === null) refuse('the user has no plan to change; use startPlan')
}
