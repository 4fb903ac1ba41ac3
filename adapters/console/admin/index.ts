import type { Page } from '../frame.js'
import { accountPage } from './account.js'
import { adjustAction, adjustLook, adjustPage } from './adjust.js'
import { dueAction, duePage } from './due.js'
import { releaseAction, releasePage, voidAction, voidPage } from './endings.js'
import { giveAction, givePage } from './give.js'
import { metricsPage } from './metrics.js'
import { editPackagePage, newPackagePage, savePackageAction } from './package-form.js'
import { packagesPage, saleAction } from './packages.js'
import { decideAction, decidePage, quarantinePage } from './quarantine.js'
import { reconcilePage, reconcileRun, repairPage, repairRun } from './reconcile.js'
import { timelinePage } from './timeline-page.js'
import { refundPage, transactionPage } from './transaction.js'
import { usersPage } from './users.js'
import { rebuildAction, rebuildPage, verifyAction, verifyPage } from './verify.js'

/** What administrators see beside their own credits, in the navigation's order. */
export const adminPages: readonly Page[] = [
  metricsPage,
  ...[usersPage, accountPage, timelinePage, transactionPage, refundPage],
  ...[givePage, giveAction, adjustPage, adjustLook, adjustAction, voidPage, voidAction, releasePage, releaseAction],
  // Words before the field that could be any of them.
  ...[packagesPage, saleAction, newPackagePage, savePackageAction, editPackagePage],
  ...[quarantinePage, decidePage, decideAction],
  ...[reconcilePage, reconcileRun, repairPage, repairRun],
  ...[verifyPage, verifyAction, rebuildPage, rebuildAction],
  ...[duePage, dueAction],
]
