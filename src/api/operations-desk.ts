import * as z from 'zod'
import type { AccountInput, UserId } from '../credit-inputs.js'
import type { CreditService } from '../credit-service.js'
import * as inputs from '../inputs.js'
import {
  type CreatePackageInput,
  createPackageInput,
  type UpdatePackageInput,
  updatePackageInput,
} from '../packages.js'
import {
  type ListQuarantineInput,
  listQuarantineInput,
  type ReleaseQuarantineInput,
  releaseQuarantineInput,
} from '../quarantine.js'
import * as outputs from './outputs.js'
import { mutation, query } from './procedure.js'
import * as selling from './selling-outputs.js'
import { session } from './shop-procedures.js'
import { page, sentMoment, type Typed, wire, type WireMoment } from './wire.js'

/* The catalogue, the books, and looking after both: for administrators. */

type Admin<T extends string> = { credits: CreditService<T>; actor: string }

/** Why somebody does this by hand. Of what writes no transaction it is told to `onAdminCall`, which keeps it. */
const reason = inputs.description.min(1)

const range = z.object({ from: sentMoment, to: sentMoment })

/** A run asks the provider day by day: more days than these outlast a request. */
const MAX_RECONCILED_DAYS = 31

const reconciledRange = range
  .extend({ apply: z.boolean().default(false) })
  .refine(({ from, to }) => to.getTime() - from.getTime() <= MAX_RECONCILED_DAYS * 86_400_000, {
    path: ['to'],
    message: `must be at most ${MAX_RECONCILED_DAYS} days after the beginning; ask again for the next ones`,
  })

/** Under `credits`. */
export function bookkeeping<T extends string>() {
  return {
    createPackage: mutation({
      role: 'admin',
      summary: 'Put a package on sale.',
      input: wire<Typed<T, CreatePackageInput>, CreatePackageInput<T>>(createPackageInput),
      output: selling.creditPackage,
      call: ({ credits }: Admin<T>, input) => credits.marketplace.createPackage(input),
    }),
    updatePackage: mutation({
      role: 'admin',
      summary: 'Change the given fields of a package. What was sold before keeps what it promised.',
      input: wire<UpdatePackageInput<T>>(updatePackageInput),
      output: selling.creditPackage,
      call: ({ credits }: Admin<T>, input) => credits.marketplace.updatePackage(input),
    }),
    findUsers: query({
      role: 'admin',
      summary: 'Users whose id begins with a text, in order of id.',
      input: wire<
        { search?: string | undefined; limit?: number | undefined; cursor?: string | null | undefined } | undefined,
        { search: string; limit: number; cursor?: string | null }
      >(z.object({ search: z.string().max(255).default(''), ...page }).prefault({})),
      output: outputs.users,
      call: ({ credits }: Admin<T>, input) => credits.findUsers(input),
    }),
    getMetrics: query({
      role: 'admin',
      summary: 'Figures over all users, half-open range, UTC.',
      input: wire<
        { from: Exclude<WireMoment, null | undefined>; to: Exclude<WireMoment, null | undefined>; creditType?: T },
        { from: Date; to: Date; creditType?: T }
      >(range.extend({ creditType: inputs.creditType })),
      output: selling.metrics,
      call: ({ credits }: Admin<T>, input) => credits.getMetrics(input),
    }),
    verify: mutation({
      role: 'admin',
      summary: 'Check every sum rule of every account, or of one user’s. Changes nothing; reads everything.',
      input: wire<{ userId?: UserId | undefined } | undefined, { userId?: UserId }>(inputs.verifyInput.prefault({})),
      output: selling.verification,
      call: ({ credits }: Admin<T>, input) => credits.verify(input),
    }),
    rebuild: mutation({
      role: 'admin',
      summary: 'Restore an account from its ledger.',
      input: wire<AccountInput<T> & { reason: string }, AccountInput<T>>(inputs.accountInput.extend({ reason })),
      output: outputs.balanceFigures,
      call: ({ credits }: Admin<T>, input) => credits.rebuild(input),
    }),
    runDue: mutation({
      role: 'admin',
      summary: 'Write what is due: expiries, timed-out holds, new periods, top-ups, waiting events.',
      input: wire<{ deadlineMs?: number | undefined } | undefined, { deadlineMs?: number }>(
        z.object({ deadlineMs: z.number().int().positive().max(3_600_000).optional() }).prefault({}),
      ),
      output: selling.dueReport,
      call: ({ credits }: Admin<T>, input) => credits.runDue(input),
    }),
    anonymizeUser: mutation({
      role: 'admin',
      summary: 'Forget a person and keep the ledger. Their id is asked for twice: it can’t be undone.',
      input: wire<{ userId: UserId; confirm: UserId }, { userId: UserId }>(
        z
          .object({ userId: inputs.userId, confirm: inputs.userId })
          .refine(({ userId, confirm }) => String(userId) === String(confirm), {
            path: ['confirm'],
            message: 'must be the same as userId',
          }),
      ),
      output: selling.forgotten,
      call: ({ credits }: Admin<T>, { userId }) => credits.anonymizeUser({ userId }),
    }),
  }
}

/** Under `marketplace`. */
export function tillAdministration<T extends string>() {
  return {
    listQuarantine: query({
      role: 'admin',
      summary: 'Payments that could not be turned into credits.',
      input: wire<ListQuarantineInput | undefined, ListQuarantineInput>(listQuarantineInput.prefault({})),
      output: selling.quarantine,
      call: ({ credits }: Admin<T>, input) => credits.marketplace.listQuarantine(input),
    }),
    releaseQuarantine: mutation({
      role: 'admin',
      summary: 'Decide about a payment in quarantine: grant what was sold, or dismiss it.',
      input: wire<Omit<ReleaseQuarantineInput, 'actor'> & { reason: string }, ReleaseQuarantineInput>(
        releaseQuarantineInput.omit({ actor: true }).extend({ reason }),
      ),
      output: selling.quarantineEntry,
      call: ({ credits, actor }: Admin<T>, input) => credits.marketplace.releaseQuarantine({ ...input, actor }),
    }),
    reconcile: mutation({
      role: 'admin',
      summary: 'Compare the provider’s records of at most 31 days with the ledger; repairs with `apply`.',
      input: wire<
        {
          from: Exclude<WireMoment, null | undefined>
          to: Exclude<WireMoment, null | undefined>
          apply?: boolean | undefined
        },
        { from: Date; to: Date; apply: boolean }
      >(reconciledRange),
      output: selling.reconciliation,
      call: ({ credits }: Admin<T>, input) => credits.marketplace.reconcile(input),
    }),
  }
}

/** Under `stripeWebhook`, as in the guide. */
export function fulfillment<T extends string>() {
  return {
    fulfillCheckoutSession: mutation({
      role: 'admin',
      summary: 'Fulfil a checkout by hand: the same core as the webhook, so it can be repeated.',
      input: session,
      output: selling.checkoutVerification,
      call: ({ credits }: Admin<T>, input) => credits.marketplace.fulfillCheckoutSession(input),
    }),
  }
}
