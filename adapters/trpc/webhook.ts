import type { AnyTRPCRootTypes } from '@trpc/server'
import * as z from 'zod'
import { parseInput } from '../../src/inputs.js'
import { onHostProcedure } from './derived.js'
import type { CreditsRouterOptions } from './options.js'

const RAW_BODY =
  'must be the body as text, exactly as it was sent. For requests that Stripe itself sends to this path, mount ' +
  'webhookHandler(credits) on it, before tRPC'

const webhookInput = z.object({ rawBody: z.string(RAW_BODY), signature: z.string() })

/** Public: the signature over the raw body is what protects it. */
export function webhookProcedure<
  TRoot extends AnyTRPCRootTypes,
  T extends string,
  TOverrides extends object,
  TUserOverrides extends object,
  TAdminOverrides extends object,
>({ credits, procedure }: CreditsRouterOptions<TRoot, T, TOverrides, TUserOverrides, TAdminOverrides>) {
  return onHostProcedure<TRoot['meta'], { rawBody: string; signature: string }>(procedure, (value) =>
    parseInput(webhookInput, value),
  ).mutation(async ({ input }) => {
    const { marketplace } = credits
    const event = await marketplace.provider.verifyWebhook(new TextEncoder().encode(input.rawBody), input.signature)
    await marketplace.processEvent(event)
    return { received: true }
  })
}
