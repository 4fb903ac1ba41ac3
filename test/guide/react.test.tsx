import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { httpBatchLink } from '@trpc/client'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { Window } from 'happy-dom'
import { act, type ReactElement } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Shop, openRouter, openShop } from '../trpc/shop.js'
import { BuyCredits, CheckBalance, trpc } from './react-snippets.js'

let shop: Shop
let browser: Window
let root: Root | undefined
const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } })

beforeAll(async () => {
  shop = await openShop()
  browser = new Window()
  const location = { href: 'https://myapp.com/marketplace' }
  vi.stubGlobal('window', Object.assign(browser, { location }))
  vi.stubGlobal('document', browser.document)
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
})
afterEach(() => {
  unmount()
  queryClient.clear()
  vi.restoreAllMocks()
})
afterAll(async () => {
  vi.unstubAllGlobals()
  await browser.happyDOM.close()
  await shop.close()
})

function unmount(): void {
  act(() => {
    root?.unmount()
  })
}

/** Let React work until the check passes, for at most five seconds. */
async function eventually<R>(check: () => R): Promise<R> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    await act(async () => new Promise((resolve) => setTimeout(resolve, 5)))
    try {
      return check()
    } catch {
      // Not yet; the check after the loop says what is missing.
    }
  }
  return check()
}

/** Show it to a user, who is signed in; `find` waits for an element. */
async function render(element: ReactElement, userId: string) {
  const router = openRouter(shop.credits)
  const createContext = () => ({ caller: { userId, isAdmin: false } })
  const client = trpc.createClient({
    links: [
      httpBatchLink({
        url: 'http://localhost/api/trpc',
        // The wire as it is, without the socket.
        fetch: (url, init) =>
          fetchRequestHandler({
            endpoint: '/api/trpc',
            req: new Request(url, init as RequestInit),
            router,
            createContext,
          }),
      }),
    ],
  })
  const container = browser.document.createElement('div')
  browser.document.body.append(container)
  // happy-dom's elements are the DOM's, by other type names.
  const mounted = createRoot(container as unknown as Element)
  root = mounted
  await act(async () =>
    mounted.render(
      <trpc.Provider client={client} queryClient={queryClient}>
        <QueryClientProvider client={queryClient}>{element}</QueryClientProvider>
      </trpc.Provider>,
    ),
  )
  const find = (selector: string) =>
    eventually(() => {
      const found = container.querySelector(selector)
      if (found === null) throw new Error(`render: there is no ${selector}`)
      return found
    })
  const click = async (selector: string) => {
    const button = await find(selector)
    await act(async () => void button.dispatchEvent(new browser.Event('click', { bubbles: true })))
  }
  return { find, click }
}

describe("the guide's React examples", () => {
  it('Client-Side: Purchase Credits', async () => {
    const { find, click } = await render(<BuyCredits />, 'buyer')
    expect((await find('p')).textContent).toBe('Starter Pack')
    await click('button')
    await eventually(() => expect(window.location.href).toContain(`${shop.stripe.url}/`))
  })

  it('Client-Side: Check Balance', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
    const alert = vi.fn()
    vi.stubGlobal('alert', alert)
    await shop.credits.addCredits('rich', 100, 'enrichment', 'Test purchase', 'purchase')
    const rich = await render(<CheckBalance />, 'rich')
    await rich.click('button')
    expect(log).toHaveBeenLastCalledWith(100)
    expect(alert).not.toHaveBeenCalled()

    unmount()
    queryClient.clear()
    await shop.credits.addCredits('poor', 20, 'enrichment', 'Test purchase', 'purchase')
    const poor = await render(<CheckBalance />, 'poor')
    await poor.click('button')
    expect(alert).toHaveBeenCalledWith('Need 30 more credits')
  })
})
