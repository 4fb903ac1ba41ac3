import * as z from 'zod'
import type { AdjustCreditsInput } from '../../src/credit-inputs.js'
import type { CreditTypeField } from '../../src/credit-types.js'
import {
  accountInput,
  adjustCreditsInput,
  checkBalanceInput,
  historyInput,
  identifier,
  moment,
  parseInput,
} from '../../src/inputs.js'
import type { CreateCheckoutInput } from '../../src/checkouts.js'
import {
  type CreatePackageInput,
  createPackageInput,
  listPackagesInput,
  type UpdatePackageInput,
  updatePackageInput,
} from '../../src/packages.js'

/**
 * What tRPC reads of a parser: `parse`, and the types `_input` and `_output`, which exist only as types. Refusals are
 * creditkit's own errors, with its messages. Fields that are not named are dropped: `userId`, `actor` and `tx` of a
 * client never arrive.
 */
interface WireInput<In, Out = In> {
  readonly _input: In
  readonly _output: Out
  parse(value: unknown): Out
}

function wireInput<In, Out = In>(schema: z.ZodType): WireInput<In, Out> {
  // The schema decides at run time; the type narrows `creditType` to the service's own names.
  return { parse: (value: unknown) => parseInput(schema, value) } as WireInput<In, Out>
}

/** An input of nothing but optional fields may be left out as a whole. */
type Lenient<In> = Partial<In> extends In ? In | undefined : In

type WithCreditType<Fields, T extends string> = Omit<Fields, 'creditType'> & CreditTypeField<T>

const mine = { userId: true } as const

/** A moment as it travels: a Date where the host has a transformer, ISO 8601 text where it has none. */
type WireMoment = Date | string | null | undefined

const wireMoment = z.preprocess((value) => (isIsoText(value) ? new Date(value) : value), moment.nullish())

function isIsoText(value: unknown): value is string {
  return z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(value).success
}

/** The marketplace checks the values by its own schema; here stands what is taken from a client at all. */
const checkoutFields = z.object({
  packageId: z.unknown().optional(),
  quantity: z.unknown().optional(),
  successUrl: z.unknown().optional(),
  cancelUrl: z.unknown().optional(),
  saveCard: z.unknown().optional(),
  ui: z.unknown().optional(),
  idempotencyKey: z.unknown().optional(),
})

const RAW_BODY =
  'must be the body as text, exactly as it was sent. For requests that Stripe itself sends to this path, mount ' +
  'webhookHandler(credits) on it, before tRPC'

const sessionFields = z.object({ sessionId: identifier })

/** The inputs of every procedure, for a service with the credit types `T`. */
export function wireInputs<T extends string>() {
  return {
    getBalance: wireInput<Lenient<CreditTypeField<T>>, CreditTypeField<T>>(accountInput.omit(mine).prefault({})),
    checkBalance: wireInput<CreditTypeField<T> & { required: number }>(checkBalanceInput.omit(mine)),
    getTransactionHistory: wireInput<
      { creditType?: T | undefined; limit?: number | undefined; offset?: number | undefined } | undefined,
      { creditType?: T; limit: number; offset: number }
    >(historyInput.omit(mine).prefault({})),
    getUsageStats: wireInput<
      Lenient<CreditTypeField<T> & { startDate?: WireMoment; endDate?: WireMoment }>,
      CreditTypeField<T> & { startDate?: Date | null; endDate?: Date | null }
    >(accountInput.omit(mine).extend({ startDate: wireMoment, endDate: wireMoment }).prefault({})),
    adjustCredits: wireInput<Omit<AdjustCreditsInput<T>, 'actor' | 'tx'> & CreditTypeField<T>, AdjustCreditsInput<T>>(
      adjustCreditsInput.omit({ actor: true, tx: true }),
    ),
    getPackages: wireInput<
      { creditType?: T | undefined; includeInactive?: boolean | undefined } | undefined,
      { creditType?: T; includeInactive: boolean }
    >(listPackagesInput.prefault({})),
    createPackage: wireInput<WithCreditType<CreatePackageInput, T>>(createPackageInput),
    updatePackage: wireInput<Omit<UpdatePackageInput, 'creditType'> & { creditType?: T | undefined }>(
      updatePackageInput,
    ),
    createCheckout: wireInput<Omit<CreateCheckoutInput, 'userId'>>(checkoutFields),
    session: wireInput<{ sessionId: string }>(sessionFields),
    webhook: wireInput<{ rawBody: string; signature: string }>(
      z.object({ rawBody: z.string(RAW_BODY), signature: z.string() }),
    ),
  }
}
