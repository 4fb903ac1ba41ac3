import * as z from 'zod'
import { type CheckoutPages, type CreateCheckoutInput, createCheckoutInput } from '../checkouts.js'
import type { UserId } from '../credit-inputs.js'
import type { CreditService } from '../credit-service.js'
import type { CreditTypeField } from '../credit-types.js'
import * as inputs from '../inputs.js'
import { listPackagesInput } from '../packages.js'
import {
  cancelSubscriptionInput,
  type CancelSubscriptionInput,
  portalInput,
  saveCardInput,
  subscribeInput,
  type SubscribeInput,
} from '../subscriptions.js'
import { type ConfigureAutoTopupInput, configureAutoTopupInput } from '../topup-settings.js'
import { mutation, ownedBy, query } from './procedure.js'
import * as outputs from './selling-outputs.js'
import { reading } from './reading.js'
import { type Lenient, nothing, page, wire } from './wire.js'

/* What is on sale, and what users buy for themselves. */

const mine = { userId: true } as const

const checkout = wire<Omit<CreateCheckoutInput, 'userId'>>(createCheckoutInput.omit(mine))

export const session = wire<{ sessionId: string }>(z.object({ sessionId: inputs.identifier }))

/** The catalogue, under `credits` as in the guide. */
export function catalogueProcedures<T extends string>() {
  type Anybody = { credits: CreditService<T>; isAdmin: () => Promise<boolean> }
  return {
    getPackages: query({
      role: 'public',
      summary: 'Packages on sale. Those that are not are shown to administrators who ask for them, and to nobody else.',
      input: wire<
        { creditType?: T | undefined; includeInactive?: boolean | undefined } | undefined,
        { creditType?: T; includeInactive: boolean }
      >(listPackagesInput.prefault({})),
      output: outputs.packages,
      call: async ({ credits, isAdmin }: Anybody, input) =>
        credits.marketplace.getPackages({ ...input, includeInactive: input.includeInactive && (await isAdmin()) }),
    }),
    purchaseCredits: mutation({
      role: 'user',
      summary: 'The same as createCheckout.',
      input: checkout,
      output: outputs.checkout,
      call: ({ credits, userId }: { credits: CreditService<T>; userId: UserId }, input) =>
        credits.marketplace.purchaseCredits({ ...input, userId }),
    }),
  }
}

/** Buying, under `marketplace`. */
export function shopProcedures<T extends string>() {
  type User = { credits: CreditService<T>; userId: UserId }
  const purchases = reading<
    T,
    { limit?: number | undefined; cursor?: string | null | undefined } | undefined,
    { limit: number; cursor?: string | null },
    Awaited<ReturnType<CreditService<T>['marketplace']['getPurchases']>>
  >({
    summary: 'Purchases, newest first, page by page.',
    fields: z.object(page),
    output: outputs.purchasePage,
    read: (credits, userId, input) => credits.marketplace.getPurchases({ ...input, userId }),
  })
  const subscriptions = reading<
    T,
    undefined,
    object,
    Awaited<ReturnType<CreditService<T>['marketplace']['getSubscriptions']>>
  >({
    summary: 'Subscriptions, the youngest first.',
    fields: z.object({}),
    output: outputs.subscriptions,
    read: (credits, userId) => credits.marketplace.getSubscriptions({ userId }),
  })
  const autoTopup = reading<
    T,
    Lenient<CreditTypeField<T>>,
    CreditTypeField<T>,
    Awaited<ReturnType<CreditService<T>['marketplace']['getAutoTopup']>>
  >({
    summary: 'The automatic top-up of one credit type; null: never configured.',
    fields: z.object({ creditType: inputs.creditType }),
    output: outputs.autoTopup.nullable(),
    read: (credits, userId, { creditType }) => credits.marketplace.getAutoTopup({ userId, creditType }),
  })
  return {
    getPurchases: purchases.mine,
    getUserPurchases: purchases.ofUser,
    getPurchase: query({
      role: 'user',
      summary: 'One purchase: of one’s own, or, for administrators, of anybody’s.',
      input: wire<{ purchaseId: string }>(z.object({ purchaseId: inputs.rowId })),
      output: outputs.purchase,
      call: (user: User & { isAdmin: boolean }, input) =>
        user.credits.marketplace.getPurchase({ ...input, ...ownedBy(user) }),
    }),
    getSubscriptions: subscriptions.mine,
    getUserSubscriptions: subscriptions.ofUser,
    getAutoTopup: autoTopup.mine,
    getUserAutoTopup: autoTopup.ofUser,
    getProducts: query({
      role: 'public',
      summary: 'Packages on sale, by credit type.',
      input: nothing,
      output: outputs.products,
      call: ({ credits }: { credits: CreditService<T> }) => credits.marketplace.getProducts(),
    }),
    createCheckout: mutation({
      role: 'user',
      summary: 'Open a checkout for a package; the answer says where to send the buyer.',
      input: checkout,
      output: outputs.checkout,
      call: ({ credits, userId }: User, input) => credits.marketplace.createCheckout({ ...input, userId }),
    }),
    verifyCheckout: query({
      role: 'user',
      summary: 'Where one’s own checkout stands; a success page asks until it is done. Fulfils what is paid, once.',
      input: session,
      output: outputs.checkoutVerification,
      call: ({ credits, userId }: User, input) => credits.marketplace.verifyCheckout({ ...input, userId }),
    }),
    subscribe: mutation({
      role: 'user',
      summary: 'Open a checkout of a plan. Credits come with each paid invoice.',
      // How long somebody may try a plan for nothing is the host's to say.
      input: wire<Omit<SubscribeInput, 'userId' | 'trialDays'>>(subscribeInput.omit({ ...mine, trialDays: true })),
      output: outputs.checkout,
      call: ({ credits, userId }: User, input) => credits.marketplace.subscribe({ ...input, userId }),
    }),
    cancelSubscription: mutation({
      role: 'user',
      summary: 'End one’s own subscription, by default when what is paid is over.',
      input: wire<Omit<CancelSubscriptionInput, 'userId'>>(cancelSubscriptionInput.omit(mine)),
      output: outputs.subscription,
      call: ({ credits, userId }: User, input) => credits.marketplace.cancelSubscription({ ...input, userId }),
    }),
    createPortalSession: mutation({
      role: 'user',
      summary: 'Open the provider’s page where a user manages subscriptions, cards and invoices.',
      input: wire<{ returnUrl?: string | undefined } | undefined, { returnUrl?: string }>(
        portalInput.omit(mine).prefault({}),
      ),
      output: outputs.portal,
      call: ({ credits, userId }: User, input) => credits.marketplace.createPortalSession({ ...input, userId }),
    }),
    createCardSetup: mutation({
      role: 'user',
      summary: 'Open a page where a user saves a card, for automatic top-ups.',
      input: wire<
        (CheckoutPages & { idempotencyKey?: string | undefined }) | undefined,
        CheckoutPages & { idempotencyKey?: string }
      >(saveCardInput.omit(mine).prefault({})),
      output: outputs.checkout,
      call: ({ credits, userId }: User, input) => credits.marketplace.createCardSetup({ ...input, userId }),
    }),
    configureAutoTopup: mutation({
      role: 'user',
      summary: 'Buy a package from the saved card whenever the balance falls to a threshold; or stop doing so.',
      input: wire<Omit<ConfigureAutoTopupInput<T>, 'userId'>>(configureAutoTopupInput.omit(mine)),
      output: outputs.autoTopup,
      call: ({ credits, userId }: User, input) => credits.marketplace.configureAutoTopup({ ...input, userId }),
    }),
  }
}
