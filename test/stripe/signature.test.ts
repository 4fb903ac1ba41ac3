import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { verifyEvent } from '../../adapters/stripe/signature.js'
import { isCreditError } from '../../src/errors.js'

const SECRET = 'whsec_right'
const EVENT = {
  id: 'evt_1',
  object: 'event',
  type: 'a.b',
  livemode: false,
  created: 1,
  data: { object: { name: 'é' } },
}
const BODY = JSON.stringify(EVENT)

const now = () => Math.floor(Date.now() / 1000)
const digest = (body: string | Uint8Array, time: number, secret = SECRET) =>
  createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex')
const sign = (body: string | Uint8Array, time = now()) => `t=${time},v1=${digest(body, time)}`
const verify = (body: string | Uint8Array, header: string | readonly string[] | null, secrets = [SECRET]) =>
  verifyEvent(typeof body === 'string' ? new TextEncoder().encode(body) : body, header, secrets)

/** The message of the refusal, or 'accepted'. Bodies, signatures and secrets must not be in the error. */
async function refusal(body: string | Uint8Array, header: string | readonly string[] | null, secrets = [SECRET]) {
  try {
    await verify(body, header, secrets)
    return 'accepted'
  } catch (error) {
    if (!isCreditError(error, 'WEBHOOK_SIGNATURE_INVALID')) throw error
    const shown = inspect(error, { depth: 9, showHidden: true })
    for (const secret of secrets) expect(shown).not.toContain(secret)
    expect(shown).not.toContain('evt_1')
    expect(shown).not.toContain('v1=')
    return error.message
  }
}

describe('verifyEvent', () => {
  it('returns the event one of several secrets signed', async () => {
    expect(await verify(BODY, sign(BODY))).toMatchObject(EVENT)
    expect(await verify(BODY, sign(BODY), ['whsec_new', SECRET, 'whsec_old'])).toMatchObject(EVENT)
  })

  it('accepts several signatures, of which one is ours, and ignores other schemes', async () => {
    const time = now()
    const header = `t=${time},v0=junk,v1=${digest(BODY, time, 'whsec_other')},v1=${digest(BODY, time)}`
    expect(await refusal(BODY, header)).toBe('accepted')
  })

  it('accepts a header that came as a list', async () => {
    expect(await refusal(BODY, sign(BODY).split(','))).toBe('accepted')
    expect(await refusal(BODY, [sign(BODY)])).toBe('accepted')
  })

  it('accepts five minutes of age and some clock skew', async () => {
    expect(await refusal(BODY, sign(BODY, now() - 298))).toBe('accepted')
    expect(await refusal(BODY, sign(BODY, now() + 120))).toBe('accepted')
  })

  it('refuses what is older, and what claims to be from the future', async () => {
    expect(await refusal(BODY, sign(BODY, now() - 600))).toContain('600 seconds ago')
    expect(await refusal(BODY, sign(BODY, now() + 86_400))).toContain('future')
  })

  it.each([
    ['no header', null],
    ['an empty header', ''],
    ['an empty list', []],
    ['junk', 'junk'],
    ['no time', `v1=${digest(BODY, now())}`],
    ['a time that is no number', `t=soon,v1=${digest(BODY, now())}`],
    ['only the test scheme', `t=${now()},v0=${digest(BODY, now())}`],
    ['another secret', `t=${now()},v1=${digest(BODY, now(), 'whsec_wrong')}`],
    ['another time', `t=${now() - 10},v1=${digest(BODY, now())}`],
    ['upper case', `t=${now()},v1=${digest(BODY, now()).toUpperCase()}`],
    ['an empty signature', `t=${now()},v1=`],
    ['a scheme without a value', `t=${now()},v1`],
    ['a time without a value', `t,v1=${digest(BODY, now())}`],
    ['a signature cut short', `t=${now()},v1=${digest(BODY, now()).slice(0, 10)}`],
    ['a space after the comma', sign(BODY).replace(',', ', ')],
    ['thousands of signatures', `t=${now()}${`,v1=${'0'.repeat(64)}`.repeat(2000)}`],
  ])('refuses %s', async (_, header) => {
    expect(await refusal(BODY, header)).not.toBe('accepted')
  })

  it('refuses a time that is no number even when it is what was signed', async () => {
    const signature = createHmac('sha256', SECRET).update(`NaN.${BODY}`).digest('hex')
    expect(await refusal(BODY, `t=soon,v1=${signature}`)).not.toBe('accepted')
  })

  it('refuses bytes that were changed, even where the text looks the same', async () => {
    const header = sign(BODY)
    expect(await refusal(`${BODY}\n`, header)).not.toBe('accepted')
    expect(await refusal(`\uFEFF${BODY}`, header)).not.toBe('accepted')
    expect(await refusal(Buffer.from(BODY, 'latin1'), header)).toContain('not UTF-8')
    expect(await refusal('', sign(''))).not.toBe('accepted')
  })

  it('refuses bytes that are not UTF-8 also when they are signed', async () => {
    const body = Buffer.from(BODY, 'latin1')
    expect(await refusal(body, sign(body))).toContain('not UTF-8')
  })

  it.each(['not json', 'null', '[]', '{}', '"event"', '1', '{"object":"event","id":"evt","type":"x"}'])(
    'refuses the signed body %s',
    async (body) => {
      expect(await refusal(body, sign(body))).toBe('The signed webhook body is not a Stripe event')
    },
  )

  it('refuses a thin event and says what to change', async () => {
    const body = JSON.stringify({ id: 'evt_2', object: 'v2.core.event', type: 'v1.charge.refunded' })
    expect(await refusal(body, sign(body))).toContain('snapshot')
  })

  it('takes fields named like parts of a prototype as data', async () => {
    const body = BODY.replace('"name"', '"__proto__":{"polluted":true},"constructor"')
    const event = await verify(body, sign(body))
    expect(event.type).toBe('a.b')
    expect('polluted' in {}).toBe(false)
  })
})
