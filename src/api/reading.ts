import type * as z from 'zod'
import type { UserId } from '../credit-inputs.js'
import type { CreditService } from '../credit-service.js'
import { userId as userIdInput } from '../inputs.js'
import { query } from './procedure.js'
import { wire } from './wire.js'

/** What administrators send beside: whose accounts they ask about. */
export type OfUser<In> = { userId: UserId } & ([In] extends [undefined] ? unknown : Exclude<In, undefined>)

/** The same question about the caller's own accounts and, for administrators, about a user's. */
// `Input` is what the fields' schema makes of `In`: its callers know, and nothing can infer it.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function reading<T extends string, In extends object | undefined, Input extends object, Out>(definition: {
  summary: string
  fields: z.ZodObject
  output: z.ZodType
  read: (credits: CreditService<T>, userId: UserId, input: Input) => Promise<Out>
}) {
  const { summary, fields, output, read } = definition
  return {
    mine: query({
      role: 'user',
      summary,
      output,
      input: wire<In, Input>(fields.prefault({})),
      call: ({ credits, userId }: { credits: CreditService<T>; userId: UserId }, input) => read(credits, userId, input),
    }),
    ofUser: query({
      role: 'admin',
      summary: `${summary} Of any user.`,
      output,
      input: wire<OfUser<In>, Input & { userId: UserId }>(fields.extend({ userId: userIdInput })),
      call: ({ credits }: { credits: CreditService<T> }, { userId, ...input }) =>
        // What is left of the input without its user is the question's own.
        read(credits, userId, input as unknown as Input),
    }),
  }
}
