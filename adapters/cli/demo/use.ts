import { deepEqual, equal } from 'node:assert/strict'
import type { Step } from './demo.js'
import type { Shop } from './shop.js'

export function balanceOf({ credits, userId }: Shop): Promise<number> {
  return credits.getBalance(userId, 'enrichment')
}

interface Enriched {
  transactionId?: string
  message?: string
  shortfall?: number
}

export async function spending(shop: Shop): Promise<Step> {
  const rows: { 'POST /api/enrich': string; answer: number; balance: number }[] = []
  const enrich = async (jobId: string, leads: number): Promise<Enriched> => {
    const response = await fetch(`${shop.origin}/api/enrich`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jobId, leads }),
    })
    rows.push({
      'POST /api/enrich': `${jobId}: ${leads} leads`,
      answer: response.status,
      balance: await balanceOf(shop),
    })
    // The shop's own answer.
    return (await response.json()) as Enriched
  }
  const { transactionId } = await enrich('job-1', 30)
  equal((await enrich('job-1', 30)).transactionId, transactionId)
  await enrich('job-2', 25)
  const { message = '', shortfall } = await enrich('job-3', 500)
  deepEqual(
    rows.map(({ answer, balance }) => [answer, balance]),
    [
      [200, 70],
      [200, 70],
      [200, 45],
      [402, 45],
    ],
  )
  deepEqual([message, shortfall], ['Insufficient credits. Required: 500, Available: 45', 455])
  const caption = 'She spends: a job is charged once however often it is sent, and refused when she is short'
  return { caption, rows, notes: [`job-3: "${message}"`] }
}

export async function ledger({ credits, userId }: Shop): Promise<Step> {
  const rows = (await credits.getTransactionHistory(userId)).reverse().map((transaction) => ({
    no: transaction.seq,
    type: transaction.transactionType,
    amount: transaction.amount,
    balance: transaction.balanceAfter,
    description: transaction.description,
  }))
  deepEqual(
    rows.map(({ amount }) => amount),
    [100, -30, -25, 30, -100],
  )
  return { caption: 'Her ledger', rows }
}

export async function balances({ credits, userId }: Shop): Promise<Step> {
  const { enrichment } = await credits.getAllBalances(userId)
  if (enrichment === undefined) throw new Error('demo: there is no credit type enrichment')
  const { balance, owned, held, debt, totalPurchased, totalUsed } = enrichment
  deepEqual([owned, held, debt, totalPurchased, totalUsed], [0, 0, 25, 100, 25])
  const rows = [{ available: balance, owned, held, debt, purchased: totalPurchased, used: totalUsed }]
  return { caption: 'Her balance', rows }
}

/** Work that takes a while: its credits are set aside while it runs, and it is charged what it really cost. */
export async function calls({ credits, userId }: Shop): Promise<Step> {
  const rows: { 'withHold, 20 credits': string; available: number; held: number }[] = []
  const look = async (when: string) => {
    const { calling } = await credits.getAllBalances(userId)
    rows.push({ 'withHold, 20 credits': when, available: calling?.balance ?? 0, held: calling?.held ?? 0 })
  }
  const account = { userId, creditType: 'calling' }
  await credits.addCredits({ ...account, amount: 50, description: 'Welcome bonus', source: 'promotional' })
  await look('before')
  await credits.withHold({ ...account, amount: 20, description: 'Call to Berlin' }, async (held) => {
    await look('while the call runs')
    held.setCost(12)
  })
  await look('after it: it cost 12')
  const dropped = credits.withHold({ ...account, amount: 20, description: 'Call to Rome' }, () => {
    throw new Error('the line is dead')
  })
  await dropped.catch(() => look('a call that failed costs nothing'))
  deepEqual(
    rows.map(({ available, held }) => [available, held]),
    [
      [50, 0],
      [30, 20],
      [38, 0],
      [38, 0],
    ],
  )
  return { caption: 'She makes two calls', rows }
}
