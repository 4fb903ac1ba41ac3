import type { Page } from '../frame.js'
import { saveCard, saveTopup, stopTopup, topupPage } from './auto-topup.js'
import { buyPage, checkoutAction } from './buy.js'
import { checkoutDonePage } from './checkout-done.js'
import { historyCsv } from './history-csv.js'
import { historyPage } from './history.js'
import { overviewPage } from './overview.js'
import { purchasesPage } from './purchases.js'
import { cancelAction, cancelPage, portalAction, subscriptionsPage } from './subscriptions.js'
import { transactionPage } from './transaction.js'
import { usagePage } from './usage.js'

/** What everybody who is signed in sees of their own credits, in the navigation's order. */
export const customerPages: readonly Page[] = [
  overviewPage,
  buyPage,
  checkoutAction,
  checkoutDonePage,
  historyPage,
  historyCsv,
  transactionPage,
  usagePage,
  purchasesPage,
  topupPage,
  saveTopup,
  stopTopup,
  saveCard,
  subscriptionsPage,
  portalAction,
  cancelPage,
  cancelAction,
]
