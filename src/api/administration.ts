import * as z from 'zod'
import type { AdjustCreditsInput, AddCreditsInput, DeductCreditsInput, UserId, WriteOptions } from '../credit-inputs.js'
import type { CreditService } from '../credit-service.js'
import { voidGrantInput } from '../grants.js'
import {
  type CaptureHoldInput,
  captureHoldInput,
  type ExtendHoldInput,
  extendHoldInput,
  type HoldCreditsInput,
  holdCreditsInput,
  type HoldInput,
  releaseHoldInput,
} from '../holds.js'
import * as inputs from '../inputs.js'
import { type SpendInput, spendInput } from '../operations.js'
import type { PlanInput, StartPlanInput } from '../plans.js'
import { type TransferCreditsInput, transferCreditsInput } from '../transfers.js'
import * as outputs from './outputs.js'
import { mutation } from './procedure.js'
import { sentMoment, type Typed, wire, type WireMoment } from './wire.js'

/*
 * What administrators, and a host's other services, do with anybody's credits. The caller is recorded as `actor`, and what
 * changes a balance by hand says why.
 */

/** The host's side of a write, which never comes over the wire. */
const own = { actor: true, tx: true } as const
export type Sent<Input> = Omit<Input, 'actor' | 'tx'>

/** Why somebody does this by hand. */
const reason = inputs.description.min(1)

const planFields = z.object({
  userId: inputs.userId,
  plan: z.string(),
  idempotencyKey: inputs.everyWrite.idempotencyKey,
  metadata: inputs.everyWrite.metadata,
})

type Admin<T extends string> = { credits: CreditService<T>; actor: string }

/** An input with who sent it. */
function by<Input extends object>(actor: string, input: Input): Input & { actor: string } {
  return { ...input, actor }
}

/** Credits of anybody's, under `credits`. */
export function creditAdministration<T extends string>() {
  return {
    addCredits: mutation({
      role: 'admin',
      summary: 'Add credits as one grant.',
      input: wire<
        Typed<T, Sent<Omit<AddCreditsInput<T>, 'expiresAt' | 'effectiveAt'>>> & {
          expiresAt?: WireMoment
          effectiveAt?: WireMoment
        },
        AddCreditsInput<T>
      >(
        inputs.addCreditsInput
          .omit(own)
          .extend({ expiresAt: sentMoment.nullish(), effectiveAt: sentMoment.nullish(), description: reason }),
      ),
      output: outputs.transaction,
      call: ({ credits, actor }: Admin<T>, input) => credits.addCredits(by(actor, input)),
    }),
    deductCredits: mutation({
      role: 'admin',
      summary: 'Take credits for something a user did.',
      input: wire<Typed<T, Sent<DeductCreditsInput<T>>>, DeductCreditsInput<T>>(inputs.deductCreditsInput.omit(own)),
      output: outputs.transaction,
      call: ({ credits, actor }: Admin<T>, input) => credits.deductCredits(by(actor, input)),
    }),
    adjustCredits: mutation({
      role: 'admin',
      summary: 'A correction by hand: positive gives, negative takes, never more than is there.',
      input: wire<Typed<T, Sent<AdjustCreditsInput<T>>>, AdjustCreditsInput<T>>(
        inputs.adjustCreditsInput.omit(own).extend({ description: reason }),
      ),
      output: outputs.transaction,
      call: ({ credits, actor }: Admin<T>, input) => credits.adjustCredits(by(actor, input)),
    }),
    refundCredits: mutation({
      role: 'admin',
      summary: 'Give the credits of a use back, to the grants they came from.',
      input: wire<
        Sent<WriteOptions> & { transactionId: string; amount?: number | undefined; reason: string },
        { transactionId: string; reason: string }
      >(inputs.refundCreditsInput.omit({ ...own, userId: true }).extend({ reason })),
      output: outputs.transaction,
      call: ({ credits, actor }: Admin<T>, input) => credits.refundCredits(by(actor, input)),
    }),
    transferCredits: mutation({
      role: 'admin',
      summary: 'Move credits from one user to another.',
      input: wire<Typed<T, Sent<TransferCreditsInput<T>>>, TransferCreditsInput<T>>(
        transferCreditsInput.omit(own).extend({ description: reason }),
      ),
      output: outputs.transfer,
      call: ({ credits, actor }: Admin<T>, input) => credits.transferCredits(by(actor, input)),
    }),
    voidGrant: mutation({
      role: 'admin',
      summary: 'End a grant: its free credits are gone.',
      input: wire<Sent<WriteOptions> & { grantId: string; reason: string }, { grantId: string; reason: string }>(
        voidGrantInput.omit({ ...own, userId: true }).extend({ reason }),
      ),
      output: outputs.grant,
      call: ({ credits, actor }: Admin<T>, input) => credits.voidGrant(by(actor, input)),
    }),
    spend: mutation({
      role: 'admin',
      summary: 'Take what an operation costs.',
      input: wire<Sent<SpendInput>, SpendInput>(spendInput.omit(own)),
      output: outputs.transaction,
      call: ({ credits, actor }: Admin<T>, input) => credits.spend(by(actor, input)),
    }),
    ...holdAdministration<T>(),
    ...planAdministration<T>(),
  }
}

function holdAdministration<T extends string>() {
  return {
    holdCredits: mutation({
      role: 'admin',
      summary: 'Set credits aside for work that is about to run.',
      input: wire<Typed<T, Sent<HoldCreditsInput<T>>>, HoldCreditsInput<T>>(holdCreditsInput.omit(own)),
      output: outputs.hold,
      call: ({ credits, actor }: Admin<T>, input) => credits.holdCredits(by(actor, input)),
    }),
    captureHold: mutation({
      role: 'admin',
      summary: 'Use credits of a hold; what it does not use is given back.',
      input: wire<Sent<CaptureHoldInput>, CaptureHoldInput>(captureHoldInput.omit(own)),
      output: outputs.transaction,
      call: ({ credits, actor }: Admin<T>, input) => credits.captureHold(by(actor, input)),
    }),
    extendHold: mutation({
      role: 'admin',
      summary: 'Let a hold live longer.',
      input: wire<Sent<ExtendHoldInput>, ExtendHoldInput>(extendHoldInput.omit(own)),
      output: outputs.hold,
      call: ({ credits, actor }: Admin<T>, input) => credits.extendHold(by(actor, input)),
    }),
    releaseHold: mutation({
      role: 'admin',
      summary: 'Give back what a hold still pins.',
      input: wire<Sent<HoldInput>, HoldInput>(releaseHoldInput.omit(own)),
      output: outputs.hold,
      call: ({ credits, actor }: Admin<T>, input) => credits.releaseHold(by(actor, input)),
    }),
  }
}

function planAdministration<T extends string>() {
  return {
    startPlan: mutation({
      role: 'admin',
      summary: 'Give a user the recurring credits of a plan.',
      input: wire<Sent<Omit<StartPlanInput, 'anchor'>> & { anchor?: WireMoment }, StartPlanInput>(
        planFields.extend({ anchor: sentMoment.nullish() }),
      ),
      output: outputs.plan,
      call: ({ credits, actor }: Admin<T>, input) => credits.startPlan(by(actor, input)),
    }),
    changePlan: mutation({
      role: 'admin',
      summary: 'Go on with another plan.',
      input: wire<Sent<PlanInput>, PlanInput>(planFields),
      output: outputs.plan,
      call: ({ credits, actor }: Admin<T>, input) => credits.changePlan(by(actor, input)),
    }),
    endPlan: mutation({
      role: 'admin',
      summary: 'No more periods of a plan.',
      input: wire<Sent<Omit<PlanInput, 'plan'>>, { userId: UserId }>(planFields.omit({ plan: true })),
      output: outputs.plan,
      call: ({ credits, actor }: Admin<T>, input) => credits.endPlan(by(actor, input)),
    }),
  }
}
