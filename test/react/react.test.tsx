import { createCreditsClient } from 'creditkit/client'
import {
  CreditsProvider,
  type HooksClient,
  useBalance,
  useBalances,
  useCheckout,
  usePackages,
  useRefreshCredits,
  useTransactions,
  useUsageStats,
} from 'creditkit/react'
import { Window } from 'happy-dom'
import { act, type ReactElement, StrictMode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { answering, serveDoor } from '../client/served-door.js'

let door: Awaited<ReturnType<typeof serveDoor>>
let browser: Window
let root: Root | undefined
let client: HooksClient
let userId: string
let users = 0
const assign = vi.fn<(url: string) => void>()

beforeAll(async () => {
  door = await serveDoor()
})
beforeEach(async () => {
  browser = new Window()
  vi.spyOn(browser.location, 'assign').mockImplementation((url) => assign(String(url)))
  vi.stubGlobal('window', browser)
  vi.stubGlobal('document', browser.document)
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  userId = `react-${++users}`
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
  vi.unstubAllGlobals()
  vi.useRealTimers()
  assign.mockReset()
  await browser.happyDOM.close()
})
afterAll(() => door.close())

const give = (amount: number) => door.credits.addCredits({ userId, amount, creditType: 'calling', description: 'Gift' })

/** Let React work until the check passes, for at most five seconds. */
async function eventually(check: () => void): Promise<void> {
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

function render(element: ReactElement, own: HooksClient = client): void {
  const container = document.createElement('div')
  root = createRoot(container)
  document.body.append(container)
  rerender(element, own)
}

function rerender(element: ReactElement, own: HooksClient = client): void {
  act(() => root?.render(<CreditsProvider client={own}>{element}</CreditsProvider>))
}

const text = () => document.body.textContent
const asked = () => door.requests.map(({ url }) => url.replace('/api/credits', ''))

function BalanceText({ creditType = 'calling' }: { creditType?: string }) {
  const { data, error, isLoading } = useBalance(creditType)
  return <p>{error ? `failed: ${error.message}` : isLoading ? 'loading' : `${creditType}: ${data ?? 'none'}`}</p>
}

describe('a question', () => {
  it('is loading, and then answered', async () => {
    render(<BalanceText />)
    expect(text()).toBe('loading')
    await eventually(() => expect(text()).toBe('calling: 10'))
  })

  it('of several components is asked once, also in strict mode', async () => {
    render(
      <StrictMode>
        <BalanceText />
        <BalanceText />
      </StrictMode>,
    )
    await eventually(() => expect(text()).toBe('calling: 10calling: 10'))
    expect(asked()).toEqual(['/balance?creditType=calling'])
  })

  it("with another argument never shows the old argument's answer", async () => {
    render(<BalanceText />)
    await eventually(() => expect(text()).toBe('calling: 10'))
    rerender(<BalanceText creditType="scraping" />)
    expect(text()).toBe('loading')
    await eventually(() => expect(text()).toBe('scraping: 0'))
    rerender(<BalanceText />)
    expect(text()).toBe('calling: 10')
  })

  it('that fails says so, and is answered when it is asked again', async () => {
    let refetch = () => Promise.resolve()
    function Retry() {
      const balance = useBalance('calling')
      refetch = balance.refetch
      return <p>{balance.error?.message ?? balance.data}</p>
    }
    door.faults.push(answering(500, JSON.stringify({ code: 'INTERNAL', detail: 'Something went wrong' })))
    render(<Retry />)
    await eventually(() => expect(text()).toBe('Something went wrong'))
    await act(() => refetch())
    expect(text()).toBe('10')
  })

  it('asked again shows the younger answer, whichever comes last', async () => {
    const answers: ((balance: number) => void)[] = []
    const slow: HooksClient = { ...client, getBalance: () => new Promise((resolve) => answers.push(resolve)) }
    let refetch = () => Promise.resolve()
    function Shown() {
      const balance = useBalance('calling')
      refetch = balance.refetch
      return <p>{balance.data}</p>
    }
    render(<Shown />, slow)
    act(() => void refetch())
    expect(answers).toHaveLength(2)
    await act(async () => answers[1]?.(2))
    await act(async () => answers[0]?.(1))
    expect(text()).toBe('2')
  })

  it('that nobody waits for any more is let go in silence', async () => {
    const complaints = vi.spyOn(console, 'error')
    render(<BalanceText />)
    act(() => root?.unmount())
    root = undefined
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(complaints).not.toHaveBeenCalled()
    complaints.mockRestore()
  })

  it('is not asked on a server', () => {
    vi.unstubAllGlobals()
    const html = renderToString(
      <CreditsProvider client={client}>
        <BalanceText />
      </CreditsProvider>,
    )
    expect(html).toBe('<p>loading</p>')
    expect(asked()).toEqual([])
  })

  it('without a provider names what is missing', () => {
    expect(() => renderToString(<BalanceText />)).toThrow('useBalance: put <CreditsProvider')
  })
})

describe('everything on the page', () => {
  function Page() {
    const balances = useBalances()
    const refresh = useRefreshCredits()
    return <button onClick={() => void refresh()}>{balances.data?.calling?.balance ?? 'loading'}</button>
  }

  it('is asked anew when somebody says so, and the old answer stays meanwhile', async () => {
    render(<Page />)
    await eventually(() => expect(text()).toBe('10'))
    await give(5)
    const shown: (string | null)[] = []
    act(() => {
      document.querySelector('button')?.click()
      shown.push(text())
    })
    await eventually(() => expect(text()).toBe('15'))
    expect(shown).toEqual(['10'])
  })

  it('is asked anew when the window is looked at again, at most every few seconds', async () => {
    const now = vi.spyOn(Date, 'now')
    const start = Date.now()
    now.mockReturnValue(start)
    render(<Page />)
    await eventually(() => expect(text()).toBe('10'))
    await give(1)
    const focus = () => act(() => void window.dispatchEvent(new browser.Event('focus') as unknown as Event))
    now.mockReturnValue(start + 1_000)
    focus()
    expect(asked()).toHaveLength(1)
    now.mockReturnValue(start + 6_000)
    focus()
    focus()
    await eventually(() => expect(text()).toBe('11'))
    expect(asked()).toHaveLength(2)
    now.mockRestore()
  })
})

describe('useTransactions', () => {
  let list: ReturnType<typeof useTransactions>
  function List() {
    list = useTransactions({ creditType: 'calling', limit: 2 })
    return <p>{list.data?.map(({ amount }) => amount).join(' ')}</p>
  }

  it('adds page after page, until there are no more', async () => {
    for (const amount of [1, 2, 3, 4]) await give(amount)
    render(<List />)
    await eventually(() => expect(text()).toBe('4 3'))
    expect(list.hasMore).toBe(true)
    await act(() => list.loadMore())
    expect(text()).toBe('4 3 2 1')
    await act(() => list.loadMore())
    expect(text()).toBe('4 3 2 1 10')
    expect(list.hasMore).toBe(false)
    await act(() => list.loadMore())
    expect(asked()).toHaveLength(3)
  })

  it('begins anew when the first page is asked again, so that no row is missing or there twice', async () => {
    for (const amount of [1, 2, 3]) await give(amount)
    render(<List />)
    await eventually(() => expect(text()).toBe('3 2'))
    await act(() => list.loadMore())
    await give(4)
    await act(() => list.refetch())
    expect(text()).toBe('4 3')
    await act(() => list.loadMore())
    expect(text()).toBe('4 3 2 1')
  })

  it('says why a further page failed, and keeps what it had', async () => {
    for (const amount of [1, 2, 3]) await give(amount)
    render(<List />)
    await eventually(() => expect(text()).toBe('3 2'))
    door.faults.push(answering(500, JSON.stringify({ code: 'INTERNAL', detail: 'Something went wrong' })))
    await act(() => list.loadMore())
    expect(list.error?.message).toBe('Something went wrong')
    expect(text()).toBe('3 2')
    await act(() => list.loadMore())
    expect(list.error).toBeUndefined()
    expect(text()).toBe('3 2 1 10')
  })
})

describe('usePackages and useUsageStats', () => {
  it('show what is on sale, and what was used', async () => {
    await door.credits.marketplace.createPackage({
      name: 'Starter',
      creditAmount: 100,
      price: 999,
      creditType: 'calling',
    })
    await door.credits.deductCredits({ userId, amount: 4, creditType: 'calling', description: 'Call' })
    function Both() {
      const packages = usePackages({ creditType: 'calling' })
      const usage = useUsageStats({ creditType: 'calling' })
      return (
        <p>
          {packages.data?.map(({ name }) => name).join()} {usage.data?.totalUsed}
        </p>
      )
    }
    render(<Both />)
    await eventually(() => expect(text()).toBe('Starter 4'))
  })
})

describe('useCheckout', () => {
  let buying: ReturnType<typeof useCheckout>
  function Buy() {
    buying = useCheckout()
    return <p>{buying.isStarting ? 'starting' : (buying.error?.message ?? 'ready')}</p>
  }
  const checkout = { success: true, checkoutUrl: 'https://pay.example/1', sessionId: 'cs_1' } as const

  it('opens one checkout for a double click, and goes to its page', async () => {
    const createCheckout = vi.fn(() => Promise.resolve(checkout))
    render(<Buy />, { ...client, createCheckout })
    const results = await act(() =>
      Promise.all([buying.startCheckout({ packageId: 1 }), buying.startCheckout({ packageId: 1 })]),
    )
    expect(results).toEqual([checkout, checkout])
    expect(createCheckout).toHaveBeenCalledTimes(1)
    expect(assign.mock.calls).toEqual([['https://pay.example/1']])
    expect(text()).toBe('ready')
  })

  it('stays on the page where the checkout is embedded, or where it is told to', async () => {
    render(<Buy />, { ...client, createCheckout: () => Promise.resolve(checkout) })
    await act(() => buying.startCheckout({ packageId: 1, ui: 'embedded' }))
    await act(() => buying.startCheckout({ packageId: 1 }, { redirect: false }))
    expect(assign).not.toHaveBeenCalled()
  })

  it('says why there is no checkout', async () => {
    render(<Buy />)
    const failed = await act(() => buying.startCheckout({ packageId: 999_999 }).catch((error: unknown) => error))
    // The door of these tests sells nothing: it has no payment provider.
    expect(failed).toMatchObject({ code: 'PAYMENTS_NOT_CONFIGURED' })
    expect(text()).toBe('Something went wrong')
    expect(assign).not.toHaveBeenCalled()
  })
})
