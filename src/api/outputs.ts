import * as z from 'zod'
import { GRANT_SOURCES } from '../ledger/grant.js'
import { TRANSACTION_TYPES } from '../ledger/transaction.js'

/* What comes back, as JSON: moments are ISO 8601 text, amounts are credits, money is in the currency's minor units. */

const count = z.int().nonnegative()
const text = z.string()
const nullableText = text.nullable()
const moment = z.iso.datetime()
const json = z.record(z.string(), z.unknown()).nullable()
const rowId = z.uuid()

export const balanceFigures = z.object({
  balance: z.int(),
  paid: z.int(),
  promotional: z.int(),
  owned: z.int(),
  held: count,
  debt: count,
  totalPurchased: count,
  totalUsed: count,
  nextExpiry: moment.nullable(),
})

/** By credit type. */
export const balances = z.record(text, balanceFigures)
export const available = z.int()

export const balanceCheck = z.object({
  hasSufficient: z.boolean(),
  balance: z.int(),
  required: count,
  shortfall: count,
})

const allocation = z.union([
  z.object({ grantId: rowId, amount: count }),
  z.object({ grantId: rowId.optional(), debt: count }),
])

const operation = z.object({ name: text, params: z.record(z.string(), z.unknown()), priceVersion: text }).nullable()

export const transaction = z.object({
  id: rowId,
  userId: text,
  creditType: text,
  seq: count,
  transactionType: z.enum(TRANSACTION_TYPES),
  amount: z.int(),
  balanceAfter: z.int(),
  description: text,
  referenceId: nullableText,
  referenceType: nullableText,
  metadata: json,
  createdAt: moment,
  effectiveAt: moment.nullable(),
  idempotencyKey: nullableText,
  relatedTransactionId: nullableText,
  actor: nullableText,
  allocations: z.array(allocation),
  operation,
  replayed: z.boolean(),
})

export const transactions = z.array(transaction)
export const transactionPage = z.object({ transactions, nextCursor: nullableText })
export const transfer = z.object({ from: transaction, to: transaction })

export const usageStats = z.object({
  totalUsed: count,
  totalPurchased: count,
  totalRefunded: count,
  balance: z.int(),
  averageDaily: z.number(),
  transactions: count,
  daily: z.array(z.object({ date: text, used: count, added: count })),
})

const source = z.enum(GRANT_SOURCES)

export const grant = z.object({
  id: rowId,
  userId: text,
  creditType: text,
  amount: count,
  remaining: count,
  held: count,
  source,
  priority: z.int(),
  effectiveAt: moment.nullable(),
  expiresAt: moment.nullable(),
  voidedAt: moment.nullable(),
  paidAmount: count.nullable(),
  currency: nullableText,
  purchaseId: nullableText,
  createdAt: moment,
  costBasis: count.nullable(),
})
export const grants = z.array(grant)

export const hold = z.object({
  id: rowId,
  userId: text,
  creditType: text,
  amount: count,
  captured: count,
  status: z.enum(['open', 'captured', 'released', 'expired']),
  expiresAt: moment,
  allocations: z.array(z.object({ grantId: rowId, amount: count })),
  description: text,
  referenceId: nullableText,
  referenceType: nullableText,
  metadata: json,
  actor: nullableText,
  createdAt: moment,
  updatedAt: moment,
  operation,
  replayed: z.boolean(),
})
export const holds = z.array(hold)

export const explanation = z.object({
  transaction,
  parts: z.array(
    z.object({
      amount: count,
      debt: z.boolean(),
      grant: grant
        .pick({
          id: true,
          source: true,
          priority: true,
          effectiveAt: true,
          expiresAt: true,
          amount: true,
          paidAmount: true,
          currency: true,
          createdAt: true,
        })
        .nullable(),
      paidMinor: count.nullable(),
      payment: z
        .object({
          id: rowId,
          packageName: text,
          paymentId: nullableText,
          sessionId: nullableText,
          paidMinor: count.nullable(),
          currency: text,
        })
        .nullable(),
      before: nullableText,
    }),
  ),
  relatedTransaction: transaction.nullable(),
})

export const quote = z.object({
  operation: text,
  creditType: text,
  amount: count,
  priceVersion: text,
  balance: z.int().optional(),
  affordable: z.boolean().optional(),
  shortfall: count.optional(),
  after: z.int().optional(),
})

export const plan = z
  .object({
    plan: text,
    status: z.enum(['active', 'ended']),
    grants: z.array(
      z.object({
        creditType: text,
        amount: count,
        every: z.unknown(),
        rolloverMax: count.nullable(),
        nextAt: moment,
      }),
    ),
  })
  .nullable()

export const users = z.object({
  users: z.array(z.object({ userId: text, balances: z.record(text, z.int()) })),
  nextCursor: nullableText,
})
