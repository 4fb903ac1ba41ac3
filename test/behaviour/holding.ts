import type { OpenStage } from './stage.js'

/** A user with 100 credits and an open hold of 60 of them for ten minutes. */
export async function holding(open: OpenStage) {
  const stage = open()
  const { credits, userId, clock, store } = stage
  const { id: grantId } = await credits.addCredits(userId, 100, 'calling', 'Welcome')
  const input = { userId, amount: 60, creditType: 'calling', description: 'Long call', expiresInSeconds: 600 } as const
  const hold = await credits.holdCredits(input)
  return {
    ...stage,
    grantId,
    hold,
    holdId: hold.id,
    found: () => store.findHold(hold.id, clock.now()),
    figures: async () => (await credits.getAllBalances(userId)).calling,
  }
}
