import { type HooksClient, useRefreshCredits, useTransactions } from 'creditkit/react'
import { act } from 'react'
import { describe, expect, it } from 'vitest'
import { eventually, openPages, text } from './pages.js'

const pages = openPages()
let refresh: () => Promise<void>

describe('a list of which more pages were loaded', () => {
  let list: ReturnType<typeof useTransactions>
  function List() {
    list = useTransactions({ limit: 2 })
    refresh = useRefreshCredits()
    return <p>{list.data?.map(({ amount }) => amount).join(' ')}</p>
  }

  it('stays as it is when it is asked again and nothing happened', async () => {
    for (const amount of [1, 2, 3]) await pages.give(amount)
    pages.render(<List />)
    await eventually(() => expect(text()).toBe('3 2'))
    await act(() => list.loadMore())
    expect(text()).toBe('3 2 1 10')
    await act(() => refresh())
    expect(text()).toBe('3 2 1 10')
  })

  it('asks for a page once, however often it is told to at a time', async () => {
    for (const amount of [1, 2, 3]) await pages.give(amount)
    pages.render(<List />)
    await eventually(() => expect(text()).toBe('3 2'))
    await act(() => Promise.all([list.loadMore(), list.loadMore()]))
    expect(text()).toBe('3 2 1 10')
    expect(pages.asked()).toHaveLength(2)
  })

  it('can be asked again for a page after a client threw at once', async () => {
    for (const amount of [1, 2, 3]) await pages.give(amount)
    let isBroken = true
    const own: HooksClient = {
      ...pages.client,
      listTransactions: (input) => {
        if (isBroken && input?.cursor != null) throw new Error('Not now')
        return pages.client.listTransactions(input)
      },
    }
    pages.render(<List />, own)
    await eventually(() => expect(text()).toBe('3 2'))
    await act(() => list.loadMore())
    expect(list).toMatchObject({ error: { message: 'Not now' }, isLoadingMore: false, hasMore: true })
    isBroken = false
    await act(() => list.loadMore())
    expect(list.error).toBeUndefined()
    expect(text()).toBe('3 2 1 10')
  })

  it('follows on at once, also before React has drawn the page before', async () => {
    for (const amount of [1, 2, 3, 4]) await pages.give(amount)
    pages.render(<List />)
    await eventually(() => expect(text()).toBe('4 3'))
    // The function of the first drawing, as an observer keeps it.
    const { loadMore } = list
    await act(async () => {
      await loadMore()
      await loadMore()
    })
    expect(text()).toBe('4 3 2 1 10')
    expect(pages.asked()).toHaveLength(3)
  })

  it('shows no page of before it began anew', async () => {
    for (const amount of [1, 2, 3]) await pages.give(amount)
    let isHeld = true
    let letOldPageCome = () => {}
    const held = new Promise<void>((resolve) => (letOldPageCome = resolve))
    const own: HooksClient = {
      ...pages.client,
      listTransactions: async (input) => {
        const wait = isHeld && input?.cursor != null
        const page = await pages.client.listTransactions(input)
        if (wait) await held
        return page
      },
    }
    pages.render(<List />, own)
    await eventually(() => expect(text()).toBe('3 2'))
    let loading = Promise.resolve()
    act(() => {
      loading = list.loadMore()
    })
    await pages.give(4)
    await act(() => list.refetch())
    expect(text()).toBe('4 3')
    isHeld = false
    await act(() => list.loadMore())
    expect(text()).toBe('4 3 2 1')
    letOldPageCome()
    await act(() => loading)
    expect(text()).toBe('4 3 2 1')
    expect(list).toMatchObject({ hasMore: true, isLoadingMore: false })
  })
})
