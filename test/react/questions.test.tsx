import { CreditsProvider, type HooksClient, useBalance, useRefreshCredits, useUsageStats } from 'creditkit/react'
import { act } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { describe, expect, it, vi } from 'vitest'
import { QueryCache } from '../../adapters/react/query-cache.js'
import { answering } from '../client/served-door.js'
import { eventually, openPages, text } from './pages.js'

const pages = openPages()

let balance: ReturnType<typeof useBalance>
let refresh: () => Promise<void>
function Balance() {
  balance = useBalance('calling')
  refresh = useRefreshCredits()
  return <p>{balance.isLoading ? 'loading' : (balance.data ?? balance.error?.message)}</p>
}

describe('a question', () => {
  it('is loading again when it is asked again after it failed', async () => {
    pages.door.faults.push(answering(500, JSON.stringify({ code: 'INTERNAL', detail: 'Something went wrong' })))
    pages.render(<Balance />)
    await eventually(() => expect(text()).toBe('Something went wrong'))
    let answered = Promise.resolve()
    act(() => {
      answered = balance.refetch()
    })
    expect(balance).toMatchObject({ isLoading: true, isRefreshing: false })
    await act(() => answered)
    expect(text()).toBe('10')
    expect(balance.error).toBeUndefined()
  })

  it('keeps its answer when it fails to get a younger one, and says both', async () => {
    pages.render(<Balance />)
    await eventually(() => expect(text()).toBe('10'))
    pages.door.faults.push(answering(500, JSON.stringify({ code: 'INTERNAL', detail: 'Something went wrong' })))
    await act(() => balance.refetch())
    expect(balance).toMatchObject({ data: 10, error: { code: 'INTERNAL' }, isLoading: false, isRefreshing: false })
  })

  it('is the same whatever the order of its fields, and whether one is undefined or left out', async () => {
    const from = new Date(Date.UTC(2026, 0, 1))
    function Three() {
      const first = useUsageStats({ creditType: 'calling', startDate: from })
      useUsageStats({ startDate: from.toISOString(), creditType: 'calling' })
      useUsageStats({ creditType: 'calling', startDate: from, endDate: undefined })
      return <p>{first.data?.totalUsed}</p>
    }
    pages.render(<Three />)
    await eventually(() => expect(text()).toBe('0'))
    expect(pages.asked()).toHaveLength(1)
  })

  it('that was left, forgotten in a refresh, and is looked at again stays', async () => {
    const getBalance = vi.fn(() => Promise.resolve(7))
    const own = { ...pages.client, getBalance }
    function Refresh() {
      refresh = useRefreshCredits()
      return null
    }
    vi.useFakeTimers()
    const settle = () => act(() => vi.advanceTimersByTimeAsync(0))
    const page = (isShown: boolean) => (
      <>
        <Refresh />
        {isShown && <Balance />}
      </>
    )
    pages.render(page(true), own)
    await settle()
    pages.rerender(page(false), own)
    await act(() => refresh())
    pages.rerender(page(true), own)
    await settle()
    expect(getBalance).toHaveBeenCalledTimes(2)
    await act(() => vi.advanceTimersByTimeAsync(120_000))
    pages.rerender(page(true), own)
    expect(text()).toBe('7')
    expect(getBalance).toHaveBeenCalledTimes(2)
  })

  it('that a refresh forgot before its component came to look is the one that others share', async () => {
    const cache = new QueryCache()
    const ask = () => Promise.resolve(7)
    const query = cache.query('getBalance', {}, ask)
    await cache.refresh()
    const leave = query.listen(() => undefined)
    expect(cache.query('getBalance', {}, ask)).toBe(query)
    leave()
  })

  it('of a client that throws at once has failed, and nothing else has', async () => {
    const own: HooksClient = {
      ...pages.client,
      getBalance: () => {
        throw new Error('Not supported')
      },
    }
    pages.render(<Balance />, own)
    await eventually(() => expect(text()).toBe('Not supported'))
  })

  it('of another client is asked anew: no balance of a user is shown to the next one', async () => {
    pages.render(<Balance />)
    await eventually(() => expect(text()).toBe('10'))
    pages.rerender(<Balance />, { ...pages.client, getBalance: () => Promise.resolve(3) })
    expect(text()).toBe('loading')
    await eventually(() => expect(text()).toBe('3'))
  })
})

describe('a page that a server rendered', () => {
  it('goes on in the browser without a complaint', async () => {
    const complaints = vi.spyOn(console, 'error')
    const element = (
      <CreditsProvider client={pages.client}>
        <Balance />
      </CreditsProvider>
    )
    const container = document.createElement('div')
    container.innerHTML = renderToString(element)
    document.body.append(container)
    expect(text()).toBe('loading')
    expect(pages.asked()).toEqual([])
    act(() => {
      pages.adopt(hydrateRoot(container, element))
    })
    await eventually(() => expect(text()).toBe('10'))
    expect(complaints).not.toHaveBeenCalled()
  })
})
