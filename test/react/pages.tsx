import { stripePayments } from 'creditkit/adapters/stripe'
import { createCreditsClient } from 'creditkit/client'
import { CreditsProvider, type HooksClient } from 'creditkit/react'
import { type FakeStripe, fakeStripe } from 'creditkit/testing'
import { Window } from 'happy-dom'
import { act, type ReactElement } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest'
import { serveDoor } from '../client/served-door.js'

/**
 * A fresh page for each test, of a new user with 10 credits, on a real door that sells through a local Stripe. Call it once
 * per file.
 */
export function openPages() {
  let stripe: FakeStripe
  let door: Awaited<ReturnType<typeof serveDoor>>
  let browser: Window
  let root: Root | undefined
  let client: HooksClient
  let userId: string
  let users = 0
  const assign = vi.fn<(url: string) => void>()

  beforeAll(async () => {
    stripe = await fakeStripe({ delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
    door = await serveDoor(
      stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: 'https://myapp.com' }),
    )
  })
  beforeEach(async () => {
    browser = new Window()
    vi.spyOn(browser.location, 'assign').mockImplementation((url) => assign(String(url)))
    vi.stubGlobal('window', browser)
    vi.stubGlobal('document', browser.document)
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
    userId = `page-${++users}`
    client = createCreditsClient<typeof door.api>({
      baseUrl: door.baseUrl,
      headers: { caller: JSON.stringify({ userId, isAdmin: false }) },
      retries: 0,
    })
    await give(10)
    door.requests.length = 0
  })
  afterEach(async () => {
    act(() => root?.unmount())
    root = undefined
    vi.useRealTimers()
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
    assign.mockReset()
    await browser.happyDOM.close()
  })
  afterAll(async () => {
    await door.close()
    await stripe.close()
  })

  const give = (amount: number) =>
    door.credits.addCredits({ userId, amount, creditType: 'calling', description: 'Gift' })
  const rerender = (element: ReactElement, own: HooksClient = client): void =>
    act(() => root?.render(<CreditsProvider client={own}>{element}</CreditsProvider>))
  return {
    get client() {
      return client
    },
    get door() {
      return door
    },
    get stripe() {
      return stripe
    },
    /** Where `window.location.assign` was told to go. */
    assign,
    give,
    asked: () => door.requests.map(({ url }) => url.replace('/api/credits', '')),
    render(element: ReactElement, own: HooksClient = client): void {
      const container = document.createElement('div')
      root = createRoot(container)
      document.body.append(container)
      rerender(element, own)
    },
    rerender,
    /** Unmounts it at the end, whoever made it. */
    adopt(made: Root): void {
      root = made
    },
  }
}

export const text = () => document.body.textContent

/** Let React work until the check passes, for at most five seconds. */
export async function eventually(check: () => void): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    await act(async () => new Promise((resolve) => setTimeout(resolve, 10)))
    try {
      check()
      return
    } catch {
      // Not yet; the check after the loop says what is missing.
    }
  }
  check()
}
