import type * as z from 'zod'
import { createCheckoutInput } from '../../src/checkouts.js'
import { getHoldInput, captureHoldInput, extendHoldInput, holdCreditsInput, releaseHoldInput } from '../../src/holds.js'
import { voidGrantInput } from '../../src/grants.js'
import * as inputs from '../../src/inputs.js'
import { quoteInput, spendInput } from '../../src/operations.js'
import { createPackageInput, listPackagesInput, updatePackageInput, upsertPackageInput } from '../../src/packages.js'
import { getPurchaseInput, getPurchasesInput } from '../../src/purchases.js'
import { listQuarantineInput, releaseQuarantineInput } from '../../src/quarantine.js'
import { getTransactionInput, metricsInput } from '../../src/reports.js'
import { saveCardInput, subscribeInput } from '../../src/subscriptions.js'
import { configureAutoTopupInput } from '../../src/topup-settings.js'
import { transferCreditsInput } from '../../src/transfers.js'
import { findUsersInput } from '../../src/users.js'
import type { Kind } from './kinds.js'
import type { Scene } from './scene.js'

/** One field and what it must refuse. */
export type Fields = Record<string, Kind>

export interface Method {
  /** A call that would be done. */
  sample: (scene: Scene) => Record<string, unknown>
  fields: Fields
  /** Its schema, so that no field is left out here. */
  schema?: z.ZodObject
  /** The names of its arguments, where it takes several: the object's own form where it takes both. */
  positional?: readonly string[]
  /** It takes arguments only. */
  isPositionalOnly?: boolean
}

const WRITE: Fields = { idempotencyKey: 'key', actor: 'nullishName', metadata: 'metadata', tx: 'tx' }
const REFERENCE: Fields = { referenceId: 'nullishName', referenceType: 'nullishName' }
const ACCOUNT: Fields = { userId: 'user', creditType: 'creditType' }
const PAGES: Fields = { successUrl: 'url', cancelUrl: 'url', ui: 'ui' }
const RANGE: Fields = { from: 'nullishDate', to: 'nullishDate' }
const SPENDING: Fields = { ...ACCOUNT, amount: 'amount', description: 'description', ...REFERENCE, ...WRITE }
const HOLD: Fields = { holdId: 'row', userId: 'optionalUser', ...WRITE }

const write = ({ userId }: Scene) => ({ userId, amount: 1, creditType: 'enrichment', description: 'Work' })
const account = ({ userId }: Scene) => ({ userId, creditType: 'enrichment' })
const hold = ({ holdId }: Scene) => ({ holdId })
const user = ({ userId }: Scene) => ({ userId })
const [FROM, TO] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-02-01T00:00:00Z')]

const ADDING: Fields = {
  ...{ ...SPENDING, transactionType: 'choice', source: 'choice', expiresAt: 'nullishDate' },
  ...{ effectiveAt: 'nullishDate', priority: 'smallInteger', paidAmount: 'minor', currency: 'currencyCode' },
}

/** Every public method of `CreditService` that takes something, with a call that would be done. */
export const SERVICE_METHODS: Record<string, Method> = {
  getBalance: {
    ...{ sample: account, fields: { ...ACCOUNT, past: 'whole' }, isPositionalOnly: true },
    positional: ['userId', 'creditType', 'past'],
  },
  getAllBalances: { sample: user, fields: { userId: 'user' }, positional: ['userId'], isPositionalOnly: true },
  checkBalance: {
    ...{ sample: (scene) => ({ ...account(scene), required: 5 }), fields: { ...ACCOUNT, required: 'amount' } },
    ...{ positional: ['userId', 'creditType', 'required'], isPositionalOnly: true, schema: inputs.checkBalanceInput },
  },
  addCredits: {
    ...{ sample: write, fields: ADDING, schema: inputs.addCreditsInput },
    positional: ['userId', 'amount', 'creditType', 'description', 'transactionType', 'metadata'],
  },
  addMany: { sample: write, fields: { ...ADDING, tx: 'tx' } },
  deductCredits: {
    ...{ sample: write, fields: SPENDING, schema: inputs.deductCreditsInput },
    positional: ['userId', 'amount', 'creditType', 'description', 'referenceId', 'referenceType', 'metadata'],
  },
  adjustCredits: {
    ...{ sample: write, schema: inputs.adjustCreditsInput },
    fields: { ...ACCOUNT, amount: 'signedAmount', description: 'description', ...WRITE },
    positional: ['userId', 'amount', 'creditType', 'description', 'metadata'],
  },
  refundCredits: {
    ...{ sample: ({ transactionId }) => ({ transactionId }), schema: inputs.refundCreditsInput },
    ...{ positional: ['transactionId'] },
    fields: {
      ...{ transactionId: 'row', amount: 'optionalAmount', reason: 'nullishDescription', userId: 'optionalUser' },
      ...WRITE,
    },
  },
  getTransactionHistory: {
    ...{ sample: account, schema: inputs.historyInput, isPositionalOnly: true },
    fields: { userId: 'user', creditType: 'optionalType', limit: 'optionalLimit', offset: 'optionalOffset' },
    positional: ['userId', 'creditType', 'limit', 'offset'],
  },
  listTransactions: {
    ...{ sample: user, schema: inputs.listTransactionsInput },
    fields: {
      ...{ userId: 'user', creditType: 'optionalType', transactionType: 'choice', limit: 'optionalLimit' },
      ...{ cursor: 'cursor', ...RANGE },
    },
  },
  getUsageStats: {
    ...{ sample: account, fields: { ...ACCOUNT, ...RANGE }, schema: inputs.usageInput, isPositionalOnly: true },
    positional: ['userId', 'creditType', 'from', 'to'],
  },
  verify: { sample: user, fields: { userId: 'optionalUser' }, schema: inputs.verifyInput },
  rebuild: { sample: account, fields: ACCOUNT, schema: inputs.accountInput },
  holdCredits: {
    ...{ sample: write, fields: { ...SPENDING, expiresInSeconds: 'seconds' }, schema: holdCreditsInput },
  },
  captureHold: {
    ...{ sample: hold, schema: captureHoldInput },
    fields: {
      ...{ ...HOLD, amount: 'optionalAmount', allowOver: 'boolean', final: 'boolean' },
      description: 'nullishDescription',
    },
  },
  releaseHold: { sample: hold, fields: HOLD, schema: releaseHoldInput },
  extendHold: {
    ...{ sample: (scene) => ({ ...hold(scene), expiresInSeconds: 60 }), schema: extendHoldInput },
    fields: { ...HOLD, expiresInSeconds: 'seconds' },
  },
  getHolds: {
    ...{ sample: account, fields: { userId: 'user', creditType: 'optionalType' }, isPositionalOnly: true },
    positional: ['userId', 'creditType'],
  },
  getHold: { sample: hold, fields: { holdId: 'row', userId: 'optionalUser' }, schema: getHoldInput },
  withHold: {
    sample: write,
    fields: { ...SPENDING, expiresInSeconds: 'seconds', repeats: 'choice' },
  },
  transferCredits: {
    ...{ sample: ({ userId }) => ({ fromUserId: userId, toUserId: 'friend', amount: 1, creditType: 'enrichment' }) },
    schema: transferCreditsInput,
    fields: {
      ...{ fromUserId: 'user', toUserId: 'user', amount: 'amount', creditType: 'creditType' },
      ...{ description: 'optionalDescription', ...REFERENCE, ...WRITE },
    },
  },
  deductMany: { sample: write, fields: { ...SPENDING, tx: 'tx' } },
  getGrants: {
    ...{ sample: account, fields: { userId: 'user', creditType: 'optionalType' }, isPositionalOnly: true },
    positional: ['userId', 'creditType'],
  },
  voidGrant: {
    ...{ sample: ({ grantId }) => ({ grantId, reason: 'By mistake' }), schema: voidGrantInput },
    fields: { grantId: 'row', reason: 'description', userId: 'optionalUser', ...WRITE },
  },
  quote: {
    ...{ sample: () => ({ operation: 'enrichLead' }), schema: quoteInput },
    fields: { userId: 'optionalUser', operation: 'configured', params: 'params' },
  },
  spend: {
    ...{ sample: ({ userId }) => ({ userId, operation: 'enrichLead' }), schema: spendInput },
    fields: {
      ...{ userId: 'user', operation: 'configured', params: 'params', description: 'optionalDescription' },
      ...{ ...REFERENCE, ...WRITE },
    },
  },
  getTransaction: {
    ...{ sample: ({ transactionId }) => ({ transactionId }), schema: getTransactionInput },
    fields: { transactionId: 'row', userId: 'optionalUser' },
  },
  explain: {
    ...{ sample: ({ transactionId }) => ({ transactionId }), schema: getTransactionInput },
    ...{ fields: { transactionId: 'row', userId: 'optionalUser' }, positional: ['transactionId'] },
  },
  startPlan: {
    sample: ({ userId }) => ({ userId, plan: 'free' }),
    fields: { userId: 'user', plan: 'configured', anchor: 'nullishDate', ...WRITE },
  },
  changePlan: {
    sample: ({ userId }) => ({ userId, plan: 'free' }),
    fields: { userId: 'user', plan: 'configured', ...WRITE },
  },
  endPlan: { sample: user, fields: { userId: 'user', ...WRITE } },
  getPlan: { sample: user, fields: { userId: 'user' }, positional: ['userId'], isPositionalOnly: true },
  runDue: { sample: () => ({ deadlineMs: 1 }), fields: { deadlineMs: 'milliseconds' } },
  findUsers: {
    ...{ sample: () => ({}), schema: findUsersInput },
    fields: { search: 'search', limit: 'optionalLimit', cursor: 'userCursor' },
  },
  getMetrics: {
    ...{ sample: () => ({ from: FROM, to: TO }), schema: metricsInput },
    fields: { from: 'date', to: 'date', creditType: 'optionalType' },
  },
  anonymizeUser: { sample: user, fields: { userId: 'user' } },
}

const PACKAGE: Fields = {
  ...{ name: 'name', description: 'nullishDescription', creditAmount: 'amount', price: 'price', currency: 'currency' },
  ...{ creditType: 'creditType', isActive: 'boolean', sortOrder: 'smallInteger', metadata: 'metadata' },
  stripePriceId: 'nullishName',
}
const checkout = ({ userId, packageId }: Scene) => ({ userId, packageId })
const CHECKOUT: Fields = {
  ...{ userId: 'user', packageId: 'packageId', quantity: 'count', saveCard: 'boolean' },
  ...{ idempotencyKey: 'key', ...PAGES },
}

/** Every public method of the marketplace that takes something. */
export const MARKETPLACE_METHODS: Record<string, Method> = {
  getPackages: {
    ...{ sample: () => ({}), schema: listPackagesInput },
    fields: { creditType: 'optionalType', includeInactive: 'boolean' },
  },
  createPackage: {
    ...{ sample: ({ pack }) => pack, fields: { ...PACKAGE, key: 'packageKey' }, schema: createPackageInput },
  },
  updatePackage: {
    ...{ sample: ({ packageId }) => ({ id: packageId, name: 'Other' }), schema: updatePackageInput },
    fields: {
      ...PACKAGE,
      id: 'packageId',
      name: 'optionalName',
      creditAmount: 'optionalAmount',
      creditType: 'optionalType',
    },
  },
  upsertPackage: {
    ...{ sample: ({ pack }) => ({ ...pack, key: 'starter' }), schema: upsertPackageInput },
    fields: { ...PACKAGE, key: 'name' },
  },
  createCheckout: { sample: checkout, fields: CHECKOUT, schema: createCheckoutInput },
  purchaseCredits: { sample: checkout, fields: CHECKOUT, schema: createCheckoutInput },
  verifyCheckout: {
    sample: ({ userId, sessionId }) => ({ userId, sessionId }),
    fields: { userId: 'user', sessionId: 'row' },
  },
  fulfillCheckoutSession: { sample: ({ sessionId }) => ({ sessionId }), fields: { sessionId: 'row' } },
  getPurchases: {
    ...{ sample: user, schema: getPurchasesInput },
    fields: { userId: 'user', limit: 'optionalLimit', cursor: 'rowCursor' },
  },
  getPurchase: {
    ...{ sample: ({ purchaseId }) => ({ purchaseId }), schema: getPurchaseInput },
    fields: { purchaseId: 'row', userId: 'optionalUser' },
  },
  subscribe: {
    ...{ sample: ({ userId }) => ({ userId, plan: 'pro' }), schema: subscribeInput },
    fields: {
      ...{ userId: 'user', plan: 'configured', stripePriceId: 'optionalName', quantity: 'count', trialDays: 'count' },
      ...{ idempotencyKey: 'key', ...PAGES },
    },
  },
  getSubscriptions: { sample: user, fields: { userId: 'user' } },
  cancelSubscription: {
    sample: ({ userId }) => ({ userId, subscriptionId: 'sub_none' }),
    fields: { userId: 'user', subscriptionId: 'row', when: 'choice' },
  },
  createPortalSession: { sample: user, fields: { userId: 'user', returnUrl: 'url' } },
  createCardSetup: {
    ...{ sample: user, fields: { userId: 'user', idempotencyKey: 'key', ...PAGES }, schema: saveCardInput },
  },
  configureAutoTopup: {
    ...{ sample: (scene) => ({ ...account(scene), threshold: 5, packageId: scene.packageId }) },
    schema: configureAutoTopupInput,
    fields: {
      ...{ ...ACCOUNT, threshold: 'threshold', packageId: 'packageId', quantity: 'count', enabled: 'boolean' },
      ...{ maxPerMonth: 'nullishCount', maxAmountMinor: 'nullishCount' },
    },
  },
  getAutoTopup: { sample: account, fields: ACCOUNT },
  listQuarantine: {
    ...{ sample: () => ({}), schema: listQuarantineInput },
    fields: { includeResolved: 'boolean', limit: 'optionalLimit', after: 'rowCursor' },
  },
  releaseQuarantine: {
    ...{ sample: ({ transactionId }) => ({ quarantineId: transactionId }), schema: releaseQuarantineInput },
    fields: { quarantineId: 'row', action: 'choice', userId: 'optionalUser', actor: 'nullishName' },
  },
  reconcile: {
    sample: () => ({ from: FROM, to: TO }),
    fields: { from: 'date', to: 'date', apply: 'boolean', onProgress: 'optionalCallback' },
  },
}
