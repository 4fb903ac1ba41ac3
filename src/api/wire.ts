import * as z from 'zod'
import type { CreditTypeField } from '../credit-types.js'
import { moment, pageSize } from '../inputs.js'
import type { Wire } from './procedure.js'

/** A schema with the types that clients and the procedure see. The schema checks values; it can't know the type `T`. */
export function wire<In, Input = In>(schema: z.ZodType): Wire<In, Input> {
  return { schema }
}

/** Nothing to send. */
export const nothing = wire<undefined>(z.object({}).prefault({}))

/** An input of nothing but optional fields may be left out as a whole. */
export type Lenient<In> = Partial<In> extends In ? In | undefined : In

/** Fields beside a credit type, which may be left out where the service has one. */
export type Typed<T extends string, Fields> = Omit<Fields, 'creditType'> & CreditTypeField<T>

/** Which page of a list; `cursor`: `nextCursor` of the page before. */
export const page = { limit: pageSize.default(50), cursor: z.string().max(20_000).nullish() }

/** A moment as it travels: a Date where the door keeps them, ISO 8601 text where it doesn't. */
export type WireMoment = Date | string | null | undefined

/** ISO 8601 text, or a Date. */
export const sentMoment = z
  .preprocess((value) => (isIsoText(value) ? new Date(value) : value), moment)
  .meta({ type: 'string', format: 'date-time' })

function isIsoText(value: unknown): value is string {
  return z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(value).success
}

/** What becomes of a value as JSON: dates become text. */
export type Json<V> = V extends Date
  ? string
  : V extends readonly (infer Item)[]
    ? Json<Item>[]
    : V extends object
      ? { [K in keyof V]: Json<V[K]> }
      : V
