import type { AnyTRPCRootTypes } from '@trpc/server'
import type { LastCreditType } from '../src/credit-types.js'
import { wireInputs } from './trpc/inputs.js'
import type { CreditsRouterOptions } from './trpc/options.js'
import { procedures } from './trpc/procedures.js'

export type { Caller, CreditsRouterOptions, HostProcedure } from './trpc/options.js'

/*
 * The guide's procedures on the host's own tRPC: its router, its procedures, its context, transformer and error
 * formatter. Nothing here calls `initTRPC`. `userId` always comes from `authenticate`, never from a user's input.
 */

/**
 * The guide's credits router: balances, history and statistics of who calls; the packages on sale; and, for
 * administrators, the catalogue and adjustments, which are recorded with the administrator as `actor`.
 */
export function createCreditsRouter<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  const { credits, router } = options
  const { open, user, admin } = procedures(options)
  const inputs = wireInputs<T>()
  return router({
    getBalances: user.query(({ ctx }) => credits.getAllBalances(ctx.caller.userId)),
    /** Credits available now, as one number. */
    getBalance: user
      .input(inputs.getBalance)
      .query(({ ctx, input }) => credits.getBalance(ctx.caller.userId, ...last<T>(input.creditType))),
    checkBalance: user
      .input(inputs.checkBalance)
      .query(({ ctx, input }) => credits.checkBalance(ctx.caller.userId, input.creditType, input.required)),
    getTransactionHistory: user
      .input(inputs.getTransactionHistory)
      .query(({ ctx, input }) =>
        credits.getTransactionHistory(ctx.caller.userId, input.creditType, input.limit, input.offset),
      ),
    getUsageStats: user
      .input(inputs.getUsageStats)
      .query(({ ctx, input }) =>
        credits.getUsageStats(ctx.caller.userId, ...last<T>(input.creditType), input.startDate, input.endDate),
      ),
    /** Public. Packages that are not on sale are shown to administrators who ask for them, and to nobody else. */
    getPackages: open.input(inputs.getPackages).query(async ({ ctx, input }) =>
      credits.marketplace.getPackages({
        ...input,
        includeInactive: input.includeInactive && (await ctx.isAdmin()),
      }),
    ),
    /** The same as `marketplace.createCheckout`. */
    purchaseCredits: user
      .input(inputs.createCheckout)
      .mutation(({ ctx, input }) => credits.marketplace.purchaseCredits({ ...input, userId: ctx.caller.userId })),

    createPackage: admin.input(inputs.createPackage).mutation(({ input }) => credits.marketplace.createPackage(input)),
    updatePackage: admin.input(inputs.updatePackage).mutation(({ input }) => credits.marketplace.updatePackage(input)),
    adjustCredits: admin
      .input(inputs.adjustCredits)
      .mutation(({ ctx, input }) => credits.adjustCredits({ ...input, actor: String(ctx.caller.userId) })),
  })
}

/** The guide's marketplace router: what is on sale, buying it, and the success page's question. */
export function createMarketplaceRouter<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object = TOverrides,
  TAdminOverrides extends object = TOverrides,
>(options: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  const { router, credits } = options
  const { open, user } = procedures(options)
  const inputs = wireInputs<T>()
  return router({
    /** Public. */
    getProducts: open.query(() => credits.marketplace.getProducts()),
    createCheckout: user
      .input(inputs.createCheckout)
      .mutation(({ ctx, input }) => credits.marketplace.createCheckout({ ...input, userId: ctx.caller.userId })),
    /** A query, so that a success page can ask until it is done. Only the buyer's own; fulfils what is paid, once. */
    verifyCheckout: user
      .input(inputs.session)
      .query(({ ctx, input }) => credits.marketplace.verifyCheckout({ ...input, userId: ctx.caller.userId })),
  })
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
  const { router, credits } = options
  const { open, admin } = procedures(options)
  const inputs = wireInputs<T>()
  return router({
    /** Public: the signature over the raw body is what protects it. */
    handleWebhook: open.input(inputs.webhook).mutation(async ({ input }) => {
      const { marketplace } = credits
      const event = await marketplace.provider.verifyWebhook(new TextEncoder().encode(input.rawBody), input.signature)
      await marketplace.processEvent(event)
      return { received: true }
    }),
    fulfillCheckoutSession: admin
      .input(inputs.session)
      .mutation(({ input }) => credits.marketplace.fulfillCheckoutSession(input)),
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

/** A credit type as the service's last argument. Whether it may be missing is known only when T is: the service checks. */
function last<T extends string>(creditType: T | undefined): LastCreditType<T> {
  return [creditType] as LastCreditType<T>
}
