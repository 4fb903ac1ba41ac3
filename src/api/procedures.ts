import { accountProcedures } from './account-procedures.js'
import { creditAdministration } from './administration.js'
import { bookkeeping, fulfillment, tillAdministration } from './operations-desk.js'
import type { Kind, Procedure } from './procedure.js'
import type { ProcedureName } from './routes.js'
import { catalogueProcedures, shopProcedures } from './shop-procedures.js'

/** Every procedure, in the guide's three groups. The one list that all doors are made from. */
export function procedureGroups<T extends string>() {
  return {
    credits: {
      ...accountProcedures<T>(),
      ...catalogueProcedures<T>(),
      ...creditAdministration<T>(),
      ...bookkeeping<T>(),
    },
    marketplace: { ...shopProcedures<T>(), ...tillAdministration<T>() },
    stripeWebhook: fulfillment<T>(),
  }
}

export type ProcedureGroups<T extends string> = ReturnType<typeof procedureGroups<T>>

/** The same under their names alone, which no two share. */
export type Procedures<T extends string> = ProcedureGroups<T>['credits'] &
  ProcedureGroups<T>['marketplace'] &
  ProcedureGroups<T>['stripeWebhook']

export function procedures<T extends string>(): Procedures<T> {
  const { credits, marketplace, stripeWebhook } = procedureGroups<T>()
  return { ...credits, ...marketplace, ...stripeWebhook }
}

/** For looking one up by name. Every route has a procedure, and every procedure a route. */
export function procedureTable<T extends string>(): Readonly<
  Record<ProcedureName, Procedure<T, Kind, unknown, unknown>>
> {
  return procedures<T>()
}
