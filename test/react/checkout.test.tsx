import type { CreditsApi } from 'creditkit/api'
import type { CreditsClient } from 'creditkit/client'
import { type HooksClient, useBalance, useCheckout } from 'creditkit/react'
import { act } from 'react'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { eventually, openPages, text } from './pages.js'

const pages = openPages()

function Balance() {
  const balance = useBalance('calling')
  return <p>{balance.data}</p>
}

describe('buying', () => {
  let buying: ReturnType<typeof useCheckout>
  function Buy() {
    buying = useCheckout()
    return <p>{buying.isStarting ? 'starting' : (buying.error?.message ?? 'ready')}</p>
  }
  const newPackage = (name: string) =>
    pages.door.credits.marketplace.createPackage({ name, creditAmount: 100, price: 999, creditType: 'calling' })

  it("goes to the provider's page", async () => {
    const { id: packageId } = await newPackage('Starter')
    pages.render(<Buy />)
    const { checkoutUrl } = await act(() => buying.startCheckout({ packageId }))
    expect(checkoutUrl).toContain(pages.stripe.url)
    expect(pages.assign.mock.calls).toEqual([[checkoutUrl]])
  })

  it('of two packages, one after the other, goes to the page of the last', async () => {
    const answers = new Map<number, () => void>()
    const own: HooksClient = {
      ...pages.client,
      createCheckout: ({ packageId }) =>
        new Promise((resolve) => {
          const url = `https://pay.example/${packageId}`
          answers.set(packageId, () => resolve({ success: true, checkoutUrl: url, sessionId: `cs_${packageId}` }))
        }),
    }
    pages.render(<Buy />, own)
    let both: Promise<{ sessionId: string }[]> = Promise.resolve([])
    act(() => {
      both = Promise.all([buying.startCheckout({ packageId: 1 }), buying.startCheckout({ packageId: 2 })])
    })
    await act(async () => answers.get(2)?.())
    await act(async () => answers.get(1)?.())
    expect((await both).map(({ sessionId }) => sessionId)).toEqual(['cs_1', 'cs_2'])
    expect(pages.assign.mock.calls).toEqual([['https://pay.example/2']])
    expect(text()).toBe('ready')
  })

  it('on the same page asks everything anew', async () => {
    const { id: packageId } = await newPackage('Embedded')
    pages.render(
      <>
        <Balance />
        <Buy />
      </>,
    )
    await eventually(() => expect(text()).toBe('10ready'))
    await pages.give(1)
    await act(() => buying.startCheckout({ packageId }, { redirect: false }))
    await eventually(() => expect(text()).toBe('11ready'))
    expect(pages.assign).not.toHaveBeenCalled()
  })

  it('that fails in a handler that does not wait is told by the hook alone', async () => {
    const rejections: unknown[] = []
    const onRejection = (reason: unknown) => void rejections.push(reason)
    process.on('unhandledRejection', onRejection)
    pages.render(<Buy />)
    act(() => void buying.startCheckout({ packageId: 999_999 }))
    await eventually(() => expect(buying.error).toMatchObject({ code: 'PACKAGE_NOT_FOUND' }))
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', onRejection)
    expect(rejections).toEqual([])
  })
})

describe('the types', () => {
  it('take a client of one credit type, of several, and of any', () => {
    expectTypeOf<CreditsClient<CreditsApi<'tokens'>>>().toExtend<HooksClient>()
    expectTypeOf<CreditsClient<CreditsApi<'calling' | 'scraping'>>>().toExtend<HooksClient>()
    expectTypeOf<CreditsClient<CreditsApi<string>>>().toExtend<HooksClient>()
  })
})
