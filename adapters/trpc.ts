import type { AnyTRPCRootTypes } from '@trpc/server'
import { procedureGroups } from '../src/api/procedures.js'
import { derived } from './trpc/derived.js'
import type { CreditsRouterOptions } from './trpc/options.js'
import { webhookProcedure } from './trpc/webhook.js'

export type { Caller } from '../src/api/procedure.js'
export type { CreditsRouterOptions, HostProcedure } from './trpc/options.js'

/*
 * The list of procedures on the host's own tRPC: its router, its procedures, its context, transformer and error formatter.
 * Nothing here calls `initTRPC`. `userId` always comes from `authenticate`, never from a user's input.
 */

/**
 * The guide's credits router and more: balances, history, statistics, grants and holds of who calls; the packages on sale;
 * and, for administrators, the catalogue, anybody's credits and the books, recorded with the administrator as `actor`.
 */
export function createCreditsRouter<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  return options.router(derived(options, procedureGroups<T>().credits))
}

/** The guide's marketplace router and more: what is on sale, buying it, subscriptions, top-ups, quarantine. */
export function createMarketplaceRouter<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  return options.router(derived(options, procedureGroups<T>().marketplace))
}

/**
 * The guide's webhook router.
 *
 * `handleWebhook` is for hosts that hold the raw body themselves. Stripe's own requests are not tRPC calls: let them
 * arrive at the guide's URL by mounting `webhookHandler(credits)` on `/api/trpc/stripeWebhook.handleWebhook`, before
 * tRPC.
 */
export function createStripeWebhookRouter<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  return options.router({
    handleWebhook: webhookProcedure(options),
    ...derived(options, procedureGroups<T>().stripeWebhook),
  })
}

/** All of it under the guide's names: `credits`, `marketplace` and `stripeWebhook`. */
export function createAppRouter<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  return options.router({
    credits: createCreditsRouter(options),
    marketplace: createMarketplaceRouter(options),
    stripeWebhook: createStripeWebhookRouter(options),
  })
}
