import type { CreditEvent } from '../../src/event-delivery.js'
import type { HostEventKind } from '../../src/ledger/event.js'

/** How a message shows figures, moments and names. */
export interface Show {
  /** `1,250 calling credits`, `1 calling credit`. */
  credits: (amount: number, creditType: string) => string
  count: (amount: number) => string
  /** Minor units as money. */
  money: (minor: number, currency: string) => string
  /** From ISO 8601 text, with the time. */
  moment: (iso: string) => string
  appName: string
  billingUrl: string
}

/** What one kind of event says, before it has a frame. Plain text: it is escaped where it needs to be. */
export interface Message {
  /** Who it is for. Default `user`. */
  audience?: 'user' | 'operator' | undefined
  subject: string
  /** Paragraphs. */
  body: string[]
  /** Figures in a small table. */
  facts?: [label: string, value: string][] | undefined
  /** The one thing to do about it; a link that is not http or https is left out. */
  action?: { label: string; url: string } | undefined
}

/** Texts by kind of event; null: nobody is written to about it. */
export type Messages = { [K in HostEventKind]: ((event: CreditEvent<K>, show: Show) => Message) | null }

/** The texts that come with the package. */
export const ENGLISH: Messages = {
  // Uses and holds are too many, and what is bought has its receipt.
  added: null,
  deducted: null,
  held: null,
  refunded: ({ amount, creditType, description, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} given back`,
    body: [`We gave ${show.credits(amount, creditType)} back to you.`],
    facts: [
      ['For', description],
      ['Available now', show.credits(balance, creditType)],
    ],
  }),
  expiringSoon: ({ amount, creditType, expiresAt, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} will expire soon`,
    body: [`${show.credits(amount, creditType)} of yours can be used until ${show.moment(expiresAt)}.`],
    facts: [
      ['Expiring', show.credits(amount, creditType)],
      ['Usable until', show.moment(expiresAt)],
      ['Available now', show.credits(balance, creditType)],
    ],
    action: { label: 'See your credits', url: show.billingUrl },
  }),
  expired: ({ amount, creditType, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} expired`,
    body: [`${show.credits(amount, creditType)} reached the end of their time and can no longer be used.`],
    facts: [['Available now', show.credits(balance, creditType)]],
    action: { label: 'See your credits', url: show.billingUrl },
  }),
  balanceLow: ({ creditType, balance, threshold }, show) => ({
    subject: `${show.credits(balance, creditType)} left`,
    body: [
      `You have ${show.credits(balance, creditType)} left. We tell you because that is ${show.count(threshold)} or less.`,
    ],
    facts: [['Available now', show.credits(balance, creditType)]],
    action: { label: 'Buy more', url: show.billingUrl },
  }),
  depleted: ({ creditType, balance }, show) => ({
    subject: `You have used up your ${show.credits(0, creditType).replace(/^\S+ /, '')}`,
    body: ['Nothing more can be used until there are new ones.'],
    facts: balance < 0 ? [['Owed', show.credits(-balance, creditType)]] : [],
    action: { label: 'Buy more', url: show.billingUrl },
  }),
  limitReached: ({ creditType, max, per, of, resetsAt }, show) => ({
    subject: `You have reached your limit per ${per}`,
    body: [
      `You have used all of the ${show.count(max)} ${of === 'calls' ? plural(max, 'call') : show.credits(max, creditType).replace(/^\S+ /, '')} that you can use per ${per}.`,
    ],
    facts: [['Goes on', show.moment(resetsAt)]],
  }),
  purchaseFulfilled: ({ amount, creditType, description, paidMinor, currency, purchaseId, balance }, show) => ({
    subject: `Your ${show.credits(amount, creditType)} are here`.replace(/^Your 1 (.*) are/, 'Your 1 $1 is'),
    body: [`Thank you. We added ${show.credits(amount, creditType)} to your account.`],
    facts: [
      ['Bought', description],
      ...(paidMinor === null || currency === null
        ? []
        : [['Paid', show.money(paidMinor, currency)] as [string, string]]),
      ['Available now', show.credits(balance, creditType)],
      ['Purchase', purchaseId],
    ],
    action: { label: 'See your credits', url: show.billingUrl },
  }),
  paymentFailed: ({ message }, show) => ({
    subject: 'Your payment did not go through',
    body: ['Your payment did not go through, and no credits were added. You have not been charged for them.'],
    facts: message === null ? [] : [['Reason', message]],
    action: { label: 'Try again', url: show.billingUrl },
  }),
  clawedBack: ({ amount, creditType, debt, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} taken back`,
    body: [
      `A payment of yours was refunded or disputed, so we took back ${show.credits(amount, creditType)} that came with it.`,
      ...(debt > 0
        ? [
            `${show.credits(debt, creditType)} of them had been used already. The next credits you get will settle that first.`,
          ]
        : []),
    ],
    facts: [[balance < 0 ? 'Owed' : 'Available now', show.credits(Math.abs(balance), creditType)]],
    action: { label: 'See your credits', url: show.billingUrl },
  }),
  paymentQuarantined: ({ userId, purchaseId, quarantineId, reason }) => ({
    audience: 'operator',
    subject: 'A payment needs a decision',
    body: [
      'Money came that could not be turned into credits. Look at it, and grant or dismiss it (releaseQuarantine).',
    ],
    facts: [
      ['Reason', reason],
      ['User', userId],
      ['Purchase', purchaseId ?? 'unknown'],
      ['Quarantine entry', quarantineId],
    ],
  }),
  topupFailed: ({ status, retryAt, recoveryUrl }, show) =>
    TOPUP_FAILED[status]?.(show, retryAt, recoveryUrl) ?? suspended(show),
}

/** By what happens next. */
const TOPUP_FAILED: Partial<
  Record<string, (show: Show, retryAt: string | null, recoveryUrl: string | null) => Message>
> = {
  active: (show, retryAt) => ({
    subject: 'Your automatic top-up did not go through',
    body: ['We could not charge your saved card. We will try again.'],
    facts: retryAt === null ? [] : [['Next try', show.moment(retryAt)]],
    action: { label: 'Check your card', url: show.billingUrl },
  }),
  action_required: (show, _retryAt, recoveryUrl) => ({
    subject: 'Please confirm your automatic top-up',
    body: ['Your bank wants you to confirm the payment of your automatic top-up. Until then nothing is charged.'],
    action: { label: 'Confirm the payment', url: recoveryUrl ?? show.billingUrl },
  }),
}

function suspended(show: Show): Message {
  return {
    subject: 'Your automatic top-up has stopped',
    body: [
      'We could not charge your saved card, so automatic top-ups have stopped. They go on when you save another card.',
    ],
    action: { label: 'Save another card', url: show.billingUrl },
  }
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`
}
