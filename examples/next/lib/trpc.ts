import { initTRPC } from '@trpc/server'
import { createAppRouter } from 'creditkit/adapters/trpc'
import { credits } from './credits'
import { signedInUser } from './signed-in-user'

export const createContext = ({ req }: { req: Request }) => ({ userId: signedInUser(req.headers) })

const t = initTRPC.context<typeof createContext>().create()

/** `credits.*`, `marketplace.*` and `stripeWebhook.*`, on this app's own tRPC. */
export const appRouter = createAppRouter({
  credits,
  router: t.router,
  procedure: t.procedure,
  // Nobody is an administrator here: say who may create packages and adjust balances.
  authenticate: ({ userId }) => ({ userId, isAdmin: false }),
})

/** For clients: `createTRPCClient<AppRouter>(…)`. */
export type AppRouter = typeof appRouter
