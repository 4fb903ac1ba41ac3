import type { AddCreditsInput, UserId } from '../src/credit-inputs.js'
import type { CreditTransaction } from '../src/credit-transaction.js'
import type { CreditTypeField } from '../src/credit-types.js'
import { isCreditError } from '../src/errors.js'
import { consoleLogger, type Logger } from '../src/ports/logger.js'
import { withRetry } from '../src/retry.js'

export { authenticateWith } from './better-auth/authenticate.js'
export type { AuthenticateOptions, BetterAuth } from './better-auth/authenticate.js'

/** What we read of better-auth's user. */
export interface SignedUpUser {
  id: string
  createdAt: Date
  email: string
  emailVerified: boolean
  /** What the host and its plugins add. */
  [field: string]: unknown
}

/** What a new user is given. */
export type SignUpCredits<T extends string> = CreditTypeField<T> & {
  /** Credits, a positive integer. */
  amount: number
  /** They end so many days after the user was created. Default: never. */
  expiresInDays?: number | undefined
  /** Kept with the transaction. Default "Sign-up credits". */
  description?: string | undefined
}

/** What signing up gives, and what becomes of the credits of users who are deleted. */
export interface CreditkitPluginOptions<T extends string> {
  credits: CreditDesk<T>
  /**
   * Credits for each new user, once. As a function: by what the user is; null for nobody, or not yet, such as before the
   * email is verified. Default: none.
   */
  signUp?: SignUpCredits<NoInfer<T>> | ((user: SignedUpUser) => SignUpCredits<NoInfer<T>> | null) | undefined
  /**
   * What becomes of the ledger of a user who was deleted. `anonymize`: `credits.anonymizeUser`, which also ends what is
   * still being paid for. Default `keep`.
   */
  onUserDeleted?: 'anonymize' | 'keep' | undefined
  /** Told when sign-up credits could not be given, or a user not be forgotten. Default: the console. */
  logger?: Logger | undefined
}

/** What is needed of a service. `CreditService` is one. */
export interface CreditDesk<T extends string> {
  addCredits(input: AddCreditsInput<string>): Promise<CreditTransaction<T>>
  anonymizeUser(input: { userId: UserId }): Promise<unknown>
}

/** Belongs to the user, as every key does. */
const SIGN_UP_KEY = 'better-auth:sign-up'

const DAY_MS = 86_400_000

/** So long after a user was created, a sign-in or a changed profile is looked at for sign-up credits. */
const SIGN_UP_DAYS = 7

/**
 * A plugin of better-auth: credits for new users, exactly once each, and a ledger that forgets who was deleted.
 *
 * Neither ever fails a sign-up, a sign-in or a deletion: the user is there, or gone, by then. Sign-up credits that could
 * not be given are given with a later sign-in, within a week; so they are where `signUp` said null before.
 */
export function creditkit<const T extends string>(options: CreditkitPluginOptions<T>) {
  const { credits, signUp, onUserDeleted = 'keep', logger = consoleLogger } = options

  const welcome = async (user: SignedUpUser | null): Promise<void> => {
    // Of updates of several users at once, better-auth tells only how many there were: then this is no date.
    const ageMs = Date.now() - new Date(user?.createdAt ?? NaN).getTime()
    if (user === null || !(ageMs < SIGN_UP_DAYS * DAY_MS)) return
    try {
      await grantSignUp(credits, user, signUp)
    } catch (error) {
      // The user has signed up or in, which must not fail by it; their next sign-in tries again.
      logger.error({ err: error, userId: user.id }, 'sign-up credits could not be given')
    }
  }

  const forget = async ({ id: userId }: { id: string }): Promise<void> => {
    if (onUserDeleted === 'keep') return
    try {
      await withRetry(() => credits.anonymizeUser({ userId }))
    } catch (error) {
      // The user is gone already. Who reads this calls `anonymizeUser` again, which can be repeated.
      logger.error({ err: error, userId }, 'a deleted user could not be anonymized')
    }
  }

  return {
    id: 'creditkit' as const,
    init: ({ internalAdapter }: FindsUsers) => {
      const welcomeBack = async ({ userId }: { userId: string }): Promise<void> => {
        if (signUp === undefined) return
        // The session is there. Whoever can't be looked up now is looked up with the next sign-in.
        await welcome(await internalAdapter.findUserById(userId).catch(() => null))
      }
      // Of the database, so that every way to sign up is seen. better-auth calls them after its commit.
      const databaseHooks = {
        user: { create: { after: welcome }, update: { after: welcome }, delete: { after: forget } },
        session: { create: { after: welcomeBack } },
      }
      return { options: { databaseHooks } }
    },
  }
}

/** Of better-auth's context. */
interface FindsUsers {
  internalAdapter: { findUserById(id: string): Promise<SignedUpUser | null> }
}

async function grantSignUp<T extends string>(
  credits: CreditDesk<T>,
  user: SignedUpUser,
  signUp: CreditkitPluginOptions<T>['signUp'],
): Promise<void> {
  const given = typeof signUp === 'function' ? signUp(user) : signUp
  if (given == null) return
  const { amount, creditType, expiresInDays, description = 'Sign-up credits' } = given
  // Counted from the sign-up, so that a repeat asks for the same.
  const expiresAt = expiresInDays === undefined ? null : new Date(user.createdAt.getTime() + expiresInDays * DAY_MS)
  if (expiresAt !== null && expiresAt.getTime() <= Date.now()) return
  try {
    await withRetry(() =>
      credits.addCredits({
        userId: user.id,
        amount,
        creditType,
        description,
        expiresAt,
        source: 'promotional',
        idempotencyKey: SIGN_UP_KEY,
      }),
    )
  } catch (error) {
    // They were given before, when `signUp` said something else: the first grant stands.
    if (!isCreditError(error, 'IDEMPOTENCY_CONFLICT')) throw error
  }
}
