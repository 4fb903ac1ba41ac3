import type { CreditEvent } from '../../src/event-delivery.js'
import type { HostEventKind } from '../../src/ledger/event.js'
import type { Show } from './show.js'

/** What one kind of event says, before it has a frame. Plain text: it is escaped where it needs to be. */
export interface Message {
  /** Who it is for. Default `user`. */
  audience?: 'user' | 'operator' | undefined
  subject: string
  /** Paragraphs. The first is also what inboxes show beside the subject. */
  body: string[]
  /** Figures in a small table; one without a value is left out. */
  facts?: Fact[] | undefined
  /** The one thing to do about it; a link that is not http or https is left out. */
  action?: { label: string; url: string } | undefined
}

/** One line of a message's table, as plain text. A blank value leaves the line out. */
export type Fact = [label: string, value: string]

/** Texts by kind of event; null: nobody is written to about it. */
export type Messages = { [K in HostEventKind]: ((event: CreditEvent<K>, show: Show) => Message) | null }

/** The texts that come with the package. */
export const ENGLISH: Messages = {
  // Uses and holds are what people do all day.
  deducted: null,
  held: null,
  added: ({ amount, creditType, description, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} added`,
    body: [`Good news: we added ${show.credits(amount, creditType)} to your account.`],
    facts: [['Details', description], balanceFact(balance, creditType, show)],
    action: seeCredits(show),
  }),
  refunded: ({ amount, creditType, description, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} given back`,
    body: [`We gave ${show.credits(amount, creditType)} back to you.`],
    facts: [['Details', description], balanceFact(balance, creditType, show)],
    action: seeCredits(show),
  }),
  expiringSoon: ({ amount, creditType, expiresAt, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} will expire soon`,
    body: [`You can use ${show.credits(amount, creditType)} until ${show.moment(expiresAt)}. After that they expire.`],
    facts: [
      ['Expiring', show.credits(amount, creditType)],
      ['Usable until', show.moment(expiresAt)],
      balanceFact(balance, creditType, show),
    ],
    action: seeCredits(show),
  }),
  expired: ({ amount, creditType, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} expired`,
    body: [`${show.credits(amount, creditType)} reached the end of their time and can no longer be used.`],
    facts: [balanceFact(balance, creditType, show)],
    action: seeCredits(show),
  }),
  balanceLow: ({ creditType, balance }, show) => ({
    subject: `${show.credits(Math.max(balance, 0), creditType)} left`,
    body: [
      `You have ${show.credits(Math.max(balance, 0), creditType)} left. Add more now, so that nothing stops when they run out.`,
    ],
    facts: [balanceFact(balance, creditType, show)],
    action: { label: 'Buy more', url: show.billingUrl },
  }),
  depleted: ({ creditType, balance }, show) => ({
    subject: `You have used up your ${show.unit(0, creditType)}`,
    body: [`You have no ${show.unit(0, creditType)} left. As soon as there are new ones, you can go on.`],
    facts: [balanceFact(balance, creditType, show)],
    action: { label: 'Buy more', url: show.billingUrl },
  }),
  limitReached: ({ creditType, max, per, of, resetsAt }, show) => ({
    subject: `You have reached your ${ADJECTIVES[per] ?? `per-${per}`} limit`,
    body: [
      of === 'calls'
        ? `You can use ${show.unit(0, creditType)} ${show.count(max)} ${max === 1 ? 'time' : 'times'} per ${per}, and you have reached that.`
        : `You can use up to ${show.credits(max, creditType)} per ${per}, and you have reached that.`,
      'Your remaining credits are not touched; you can go on when the limit starts anew.',
    ],
    facts: [['You can go on', show.moment(resetsAt)]],
    action: seeCredits(show),
  }),
  purchaseFulfilled: (
    { amount, creditType, description, paidMinor, currency, purchaseId, balance, createdAt },
    show,
  ) => ({
    subject: `Your receipt for ${show.credits(amount, creditType)}`,
    body: [`Thank you for your purchase. We added ${show.credits(amount, creditType)} to your account.`],
    facts: [
      ['Details', description],
      ['Credits', show.count(amount)],
      ['Paid', paidMinor === null || currency === null ? '' : show.money(paidMinor, currency)],
      ['Date', show.moment(createdAt)],
      ['Reference', purchaseId],
      balanceFact(balance, creditType, show),
    ],
    action: seeCredits(show),
  }),
  paymentFailed: ({ message }, show) => ({
    subject: 'Your payment did not go through',
    body: [
      'Your payment did not go through, and no credits were added. You have not been charged for them.',
      'Often a second try or another card is all it takes.',
    ],
    facts: [['Reason', message ?? '']],
    action: { label: 'Try again', url: show.billingUrl },
  }),
  clawedBack: ({ amount, creditType, description, debt, balance }, show) => ({
    subject: `${show.credits(amount, creditType)} taken back`,
    body: [
      `A payment of yours was refunded or disputed, so we took back ${show.credits(amount, creditType)} that came with it.`,
      ...(debt > 0
        ? [
            `Of these, ${show.credits(debt, creditType)} had been used already. The next credits you get will settle that first.`,
          ]
        : []),
    ],
    facts: [['Details', description], balanceFact(balance, creditType, show)],
    action: seeCredits(show),
  }),
  paymentQuarantined: ({ userId, creditType, purchaseId, quarantineId, reason, createdAt }, show) => ({
    audience: 'operator',
    subject: 'A payment needs a decision',
    body: [
      'Money came that could not be turned into credits, and nothing was granted.',
      'Please look at it, and grant or dismiss it with releaseQuarantine.',
    ],
    facts: [
      ['Reason', reason],
      ['User', userId],
      ['Credit type', creditType],
      ['Purchase', purchaseId ?? 'unknown'],
      ['Quarantine entry', quarantineId],
      ['Date', show.moment(createdAt)],
    ],
  }),
  topupFailed: ({ status, retryAt, recoveryUrl }, show) => {
    if (status === 'active') return triesAgain(retryAt, show)
    return status === 'action_required' ? needsBuyer(recoveryUrl, show) : stopped(show)
  },
}

const ADJECTIVES: Partial<Record<string, string>> = { hour: 'hourly', day: 'daily', week: 'weekly', month: 'monthly' }

function triesAgain(retryAt: string | null, show: Show): Message {
  return {
    subject: 'Your automatic top-up did not go through',
    body: ['We could not charge your saved card for your automatic top-up. We will try again by ourselves.'],
    facts: [['Next try', retryAt === null ? '' : show.moment(retryAt)]],
    action: { label: 'Check your card', url: show.billingUrl },
  }
}

/** Without a page of the provider's that leads to the payment, the host's own page does. */
function needsBuyer(recoveryUrl: string | null, show: Show): Message {
  return {
    subject: 'Please confirm your automatic top-up',
    body: [
      'Your bank wants you to confirm the payment of your automatic top-up. Until then nothing is charged, and no credits are added.',
    ],
    action: { label: 'Confirm the payment', url: show.webUrl(recoveryUrl) ?? show.billingUrl },
  }
}

function stopped(show: Show): Message {
  return {
    subject: 'Your automatic top-up has stopped',
    body: [
      'We could not charge your saved card, so automatic top-ups have stopped. They go on when you save another card.',
    ],
    action: { label: 'Save another card', url: show.billingUrl },
  }
}

/** People are told what they owe, not that they have less than nothing. */
function balanceFact(balance: number, creditType: string, show: Show): Fact {
  return [balance < 0 ? 'Owed' : 'Available', show.credits(Math.abs(balance), creditType)]
}

function seeCredits(show: Show): { label: string; url: string } {
  return { label: 'See your credits', url: show.billingUrl }
}
