import { useCallback, useRef, useState } from 'react'
import type { CheckoutResult } from '../../src/checkouts.js'
import { type CheckoutInput, useProvided } from './provider.js'
import { keyOf } from './query-cache.js'
import { asError, useMounted } from './use-query.js'

/** What `useCheckout` gives: a function for the button, and how it is going. */
export interface CheckoutState {
  /**
   * Open a checkout and go to its page; with `ui: 'embedded'`, or `redirect: false`, the answer says how to go on, and what
   * is on the page is asked anew. One click is one intent: while one is starting, a call with the same input returns the
   * same. Of calls with different input the last one says which page to go to.
   *
   * Rejects with what `error` says, too; who doesn't wait for it needs no `catch`.
   */
  startCheckout: (input: CheckoutInput, options?: { redirect?: boolean }) => Promise<CheckoutResult>
  /** A checkout is being opened. */
  isStarting: boolean
  /** Why the last call failed; undefined as soon as there is another. */
  error: Error | undefined
}

/** Buying. */
export function useCheckout(): CheckoutState {
  const { client, cache } = useProvided('useCheckout')
  const [isStarting, setStarting] = useState(false)
  const [error, setError] = useState<Error | undefined>(undefined)
  const starting = useRef(new Map<string, Promise<CheckoutResult>>())
  const last = useRef('')
  const isMounted = useMounted()

  const startCheckout = useCallback(
    (input: CheckoutInput, { redirect = input.ui !== 'embedded' } = {}) => {
      const intent = `${String(redirect)} ${keyOf(input)}`
      last.current = intent
      const known = starting.current.get(intent)
      if (known !== undefined) return known
      setStarting(true)
      setError(undefined)
      const start = async (): Promise<CheckoutResult> => {
        try {
          const checkout = await client.createCheckout(input)
          if (!redirect) void cache.refresh()
          else if (last.current === intent) window.location.assign(checkout.checkoutUrl)
          return checkout
        } catch (reason) {
          const failure = asError(reason)
          if (isMounted.current && last.current === intent) setError(failure)
          throw failure
        }
      }
      const checkout = start().finally(() => {
        starting.current.delete(intent)
        if (isMounted.current) setStarting(starting.current.size > 0)
      })
      // `error` has it: a handler that doesn't wait leaves no unhandled rejection.
      checkout.catch(() => undefined)
      starting.current.set(intent, checkout)
      return checkout
    },
    [client, cache, isMounted],
  )
  return { startCheckout, isStarting, error }
}
