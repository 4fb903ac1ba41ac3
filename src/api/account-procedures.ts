import * as z from 'zod'
import type { CreditBalance } from '../credit-balance.js'
import type { UserId } from '../credit-inputs.js'
import type { CreditService } from '../credit-service.js'
import type { CreditTypeField, LastCreditType } from '../credit-types.js'
import * as inputs from '../inputs.js'
import type { TransactionType } from '../ledger/transaction.js'
import { TRANSACTION_TYPES } from '../ledger/transaction.js'
import { quoteInput } from '../operations.js'
import type { OperationParams } from '../operations.js'
import * as outputs from './outputs.js'
import { ownedBy, query } from './procedure.js'
import { reading } from './reading.js'
import { type Lenient, page, sentMoment, wire, type WireMoment } from './wire.js'

/* What users may see of their own accounts, and administrators of anybody's. */

const creditType = z.object({ creditType: inputs.creditType })

const transactionId = wire<{ transactionId: string }>(z.object({ transactionId: inputs.rowId }))

const historyFields = z.object({
  creditType: inputs.creditType,
  limit: inputs.historyInput.shape.limit,
  offset: inputs.historyInput.shape.offset,
})

const transactionFields = z.object({
  creditType: inputs.creditType,
  transactionType: z.enum(TRANSACTION_TYPES).optional(),
  from: sentMoment.nullish(),
  to: sentMoment.nullish(),
  ...page,
})

const usageFields = z.object({
  creditType: inputs.creditType,
  startDate: sentMoment.nullish(),
  endDate: sentMoment.nullish(),
})

export interface TransactionFilter<T extends string> {
  creditType?: T | undefined
  transactionType?: TransactionType | undefined
  from?: WireMoment
  to?: WireMoment
  limit?: number | undefined
  cursor?: string | null | undefined
}

export type UsageRange<T extends string> = CreditTypeField<T> & { startDate?: WireMoment; endDate?: WireMoment }

type CheckedFilter<T extends string> = Omit<TransactionFilter<T>, 'from' | 'to'> & {
  from?: Date | null
  to?: Date | null
}
type CheckedRange<T extends string> = CreditTypeField<T> & { startDate?: Date | null; endDate?: Date | null }

export function accountProcedures<T extends string>() {
  const balances = reading<T, undefined, object, Record<T, CreditBalance>>({
    summary: 'Every credit type: credits available, held, owed and bought in all.',
    fields: z.object({}),
    output: outputs.balances,
    read: (credits, userId) => credits.getAllBalances(userId),
  })
  const transactions = reading<
    T,
    TransactionFilter<T> | undefined,
    CheckedFilter<T>,
    Awaited<ReturnType<CreditService<T>['listTransactions']>>
  >({
    summary: 'Transactions, newest first, page by page.',
    fields: transactionFields,
    output: outputs.transactionPage,
    read: (credits, userId, filter) => credits.listTransactions({ ...filter, userId }),
  })
  const usage = reading<
    T,
    Lenient<UsageRange<T>>,
    CheckedRange<T>,
    Awaited<ReturnType<CreditService<T>['getUsageStats']>>
  >({
    summary: 'What credits were used for: totals and days, half-open range, UTC.',
    fields: usageFields,
    output: outputs.usageStats,
    read: (credits, userId, input) =>
      credits.getUsageStats(userId, ...last<T>(input.creditType), input.startDate, input.endDate),
  })
  const grants = reading<
    T,
    { creditType?: T | undefined } | undefined,
    { creditType?: T },
    Awaited<ReturnType<CreditService<T>['getGrants']>>
  >({
    summary: 'Grants that have something left, in the order in which they burn.',
    fields: creditType,
    output: outputs.grants,
    read: (credits, userId, input) => credits.getGrants(userId, input.creditType),
  })
  const holds = reading<
    T,
    { creditType?: T | undefined } | undefined,
    { creditType?: T },
    Awaited<ReturnType<CreditService<T>['getHolds']>>
  >({
    summary: 'Open holds: credits set aside for work that is going on.',
    fields: creditType,
    output: outputs.holds,
    read: (credits, userId, input) => credits.getHolds(userId, input.creditType),
  })
  const plan = reading<T, undefined, object, Awaited<ReturnType<CreditService<T>['getPlan']>>>({
    summary: 'The plan that brings recurring credits, if there is one.',
    fields: z.object({}),
    output: outputs.plan,
    read: (credits, userId) => credits.getPlan(userId),
  })
  return {
    getBalances: balances.mine,
    getUserBalances: balances.ofUser,
    listTransactions: transactions.mine,
    listUserTransactions: transactions.ofUser,
    getUsageStats: usage.mine,
    getUserUsageStats: usage.ofUser,
    getGrants: grants.mine,
    getUserGrants: grants.ofUser,
    getHolds: holds.mine,
    getUserHolds: holds.ofUser,
    getPlan: plan.mine,
    getUserPlan: plan.ofUser,
    ...oneByOne<T>(),
  }
}

/** Questions that only users ask about themselves, and such about one transaction. */
function oneByOne<T extends string>() {
  type User = { credits: CreditService<T>; userId: UserId; isAdmin: boolean }
  return {
    getBalance: query({
      role: 'user',
      summary: 'Credits available now, as one number.',
      input: wire<Lenient<CreditTypeField<T>>, CreditTypeField<T>>(creditType.prefault({})),
      output: outputs.available,
      call: ({ credits, userId }: User, input) => credits.getBalance(userId, ...last<T>(input.creditType)),
    }),
    checkBalance: query({
      role: 'user',
      summary: 'Would so many credits be there? For display: only a deduction decides.',
      input: wire<CreditTypeField<T> & { required: number }>(creditType.extend({ required: inputs.amount })),
      output: outputs.balanceCheck,
      call: ({ credits, userId }: User, input) => credits.checkBalance(userId, input.creditType, input.required),
    }),
    getTransactionHistory: query({
      role: 'user',
      summary: 'Transactions, newest first, by limit and offset. For long lists: listTransactions.',
      input: wire<
        { creditType?: T | undefined; limit?: number | undefined; offset?: number | undefined } | undefined,
        { creditType?: T; limit: number; offset: number }
      >(historyFields.prefault({})),
      output: outputs.transactions,
      call: ({ credits, userId }: User, { creditType: type, limit, offset }) =>
        credits.getTransactionHistory(userId, type, limit, offset),
    }),
    getTransaction: query({
      role: 'user',
      summary: 'One transaction: of one’s own, or, for administrators, of anybody’s.',
      input: transactionId,
      output: outputs.transaction,
      call: (user: User, input) => user.credits.getTransaction({ ...input, ...ownedBy(user) }),
    }),
    explain: query({
      role: 'user',
      summary: 'Which grants a transaction touched, why in this order, and which payments brought them.',
      input: transactionId,
      output: outputs.explanation,
      call: (user: User, input) => user.credits.explain({ ...input, ...ownedBy(user) }),
    }),
    quote: query({
      role: 'user',
      summary: 'What an operation would cost, and whether the caller can pay.',
      input: wire<{ operation: string; params?: OperationParams | undefined }>(quoteInput.omit({ userId: true })),
      output: outputs.quote,
      call: ({ credits, userId }: User, input) => credits.quote({ ...input, userId }),
    }),
  }
}

/** A credit type as the service's last argument. Whether it may be missing is known only when T is: the service checks. */
function last<T extends string>(type: T | undefined): LastCreditType<T> {
  return [type] as LastCreditType<T>
}
