import { describe, expect, it } from 'vitest'
import { type Bench, bought, codeOf, translated } from './bench.js'
import type { SignedWebhook } from './acts.js'

const REFUSED = 'WEBHOOK_SIGNATURE_INVALID'

export function testWebhooks(bench: Bench): void {
  const verify = ({ rawBody, signature }: { rawBody: Uint8Array; signature: string | null }) =>
    bench.provider.verifyWebhook(rawBody, signature)
  const newWebhooks = async (): Promise<SignedWebhook[]> => {
    await bench.act.loseWebhooks()
    await bought(bench)
    return bench.act.takeWebhooks()
  }
  const newWebhook = async (): Promise<SignedWebhook> => {
    const [webhook] = await newWebhooks()
    if (webhook === undefined) throw new Error('testWebhooks: nothing came of a purchase')
    return webhook
  }

  describe('webhooks', () => {
    it('tell of a purchase, by the session and by the payment', async () => {
      await bench.act.loseWebhooks()
      const { sessionId, paymentId, purchaseId } = await bought(bench)
      const checkout = await bench.provider.getCheckout(sessionId)
      const events = await translated(bench.provider, await bench.act.takeWebhooks())
      expect(events).toContainEqual({ kind: 'checkout', checkout, failed: false })
      expect(events).toContainEqual({ kind: 'payment_succeeded', paymentId, purchaseId })
    })

    it('have an id, a type, a mode and a time of their own', async () => {
      const webhooks = await newWebhooks()
      const events = await Promise.all(webhooks.map(verify))
      for (const { eventId, type, livemode, created } of events) {
        expect({ eventId, type, livemode }).toEqual({
          ...{ eventId: expect.stringMatching(/./) as string, type: expect.stringMatching(/./) as string },
          livemode: false,
        })
        expect(Math.abs(created - bench.act.now().getTime() / 1000)).toBeLessThanOrEqual(2)
      }
      expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(events.length)
    })

    it('mean the same when they are delivered again', async () => {
      const webhooks = await newWebhooks()
      const first = await translated(bench.provider, webhooks)
      expect(await translated(bench.provider, webhooks)).toEqual(first)
    })

    it('are refused without a signature', async () => {
      const { rawBody } = await newWebhook()
      expect(await codeOf(verify({ rawBody, signature: null }))).toBe(REFUSED)
      expect(await codeOf(verify({ rawBody, signature: '' }))).toBe(REFUSED)
    })

    it('are refused with a wrong signature', async () => {
      const [one, other] = [await newWebhook(), await newWebhook()]
      expect(await codeOf(verify({ rawBody: one.rawBody, signature: other.signature }))).toBe(REFUSED)
      for (const signature of ['t=1', 'v1=', 't=1,v1=0', 'nonsense', ',,,', '=', `${one.signature}\u0000`, '{}']) {
        expect(await codeOf(verify({ rawBody: one.rawBody, signature }))).toBe(REFUSED)
      }
    })

    it('are refused when any part of the body was altered', async () => {
      const { rawBody, signature } = await newWebhook()
      const text = new TextDecoder().decode(rawBody)
      const bytes = (changed: string) => new TextEncoder().encode(changed)
      const shorter = rawBody.slice(0, -1)
      const flipped = Uint8Array.from(rawBody, (byte, index) => (index === 20 ? byte ^ 1 : byte))
      const withMark = Uint8Array.from([0xef, 0xbb, 0xbf, ...rawBody])
      for (const altered of [bytes(`${text} `), bytes(` ${text}`), shorter, flipped, withMark, new Uint8Array()]) {
        expect(await codeOf(verify({ rawBody: altered, signature }))).toBe(REFUSED)
      }
      expect(await codeOf(verify({ rawBody, signature }))).toBeNull()
    })

    it('are refused when they were signed too long ago, and accepted when it was just now', async () => {
      const { rawBody } = await newWebhook()
      expect(await codeOf(verify(await bench.act.sign(rawBody, 120)))).toBeNull()
      expect(await codeOf(verify(await bench.act.sign(rawBody, 3600)))).toBe(REFUSED)
    })

    it.each(['', 'hello', 'null', '[]', '{}', '"text"', '{"id":', '{"id":"evt_1"}'])(
      'are refused when what was signed is not an event: %s',
      async (body) => {
        const signed = await bench.act.sign(new TextEncoder().encode(body))
        expect(await codeOf(verify(signed))).toBe(REFUSED)
      },
    )

    it('are refused when what was signed is not text', async () => {
      const signed = await bench.act.sign(Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d]))
      expect(await codeOf(verify(signed))).toBe(REFUSED)
    })

    it('mean nothing when their type is not known', async () => {
      const event = await verify(await bench.act.unknownEvent())
      expect(event.eventId).not.toBe('')
      expect(await event.translate()).toBeNull()
    })

    it('mean nothing when they are of the other mode', async () => {
      const webhooks = await newWebhooks()
      const events = await translated(bench.otherMode, webhooks)
      expect(events.filter((event) => event !== null)).toEqual([])
    })

    it('are refused as not configured where there is no signing secret', async () => {
      const { rawBody, signature } = await newWebhook()
      const verifyWithoutSecret = async () => bench.withoutSecret().verifyWebhook(rawBody, signature)
      expect(await codeOf(verifyWithoutSecret())).toBe('PAYMENTS_NOT_CONFIGURED')
    })
  })
}
