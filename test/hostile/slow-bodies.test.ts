import { Pool } from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { createTestDatabase } from '../support/postgres.js'
import { type RawCall, requestText, sendRaw } from './raw-socket.js'
import {
  ADJUST,
  adjustment,
  closeAfterTest,
  closeAll,
  JSON_TYPE,
  NAMES,
  serve,
  SESSION,
  whole,
} from './served-doors.js'

afterEach(closeAll)

describe('a body that does not come', () => {
  const silent = (line: string, headers: Record<string, string>) => [
    requestText(line, { ...headers, 'content-length': '1000' }, '{"userId"'),
  ]
  function* trickling(line: string, headers: Record<string, string>) {
    yield requestText(line, { ...headers, 'transfer-encoding': 'chunked' })
    for (;;) {
      yield '1\r\n \r\n'
      yield 20
    }
  }

  it('is answered 408 in every mount, and its sender is let go', async () => {
    const calls = await Promise.all(
      NAMES.map(async (name) => {
        const { url, errors } = await serve(name, { bodyTimeoutMs: 150 })
        const form = { ...SESSION, 'content-type': 'application/x-www-form-urlencoded' }
        const sent: RawCall[] = [
          sendRaw(url, silent(ADJUST, JSON_TYPE)),
          sendRaw(url, trickling(ADJUST, JSON_TYPE)),
          sendRaw(url, silent('POST /credits/auto-topup', form)),
          sendRaw(url, trickling('POST /credits/auto-topup', form)),
        ]
        const answers = await Promise.all(sent.map(({ answer }) => answer))
        await Promise.all(sent.map(({ closed }) => closed))
        return { name, statuses: answers.map(({ status }) => status), code: answers[0]?.body, errors }
      }),
    )
    for (const { name, statuses, code, errors } of calls) {
      expect([name, ...statuses]).toEqual([name, 408, 408, 408, 408])
      expect(code).toContain('"REQUEST_TIMEOUT"')
      expect(errors).toEqual([])
    }
  })

  it('holds no connection to the database: others are served meanwhile, by a pool of one', async () => {
    const database = await createTestDatabase()
    await migrate(database.url)
    const pool = new Pool({ connectionString: database.url, max: 1 })
    closeAfterTest(async () => {
      await pool.end()
      await database.drop()
    })
    const { url, ask, credits } = await serve('node:http', { bodyTimeoutMs: 5000 }, postgresStore(pool))
    const slow = Array.from({ length: 10 }, (_, index) =>
      sendRaw(url, index % 2 === 0 ? silent(ADJUST, JSON_TYPE) : silent('POST /api/credits/webhook', {})),
    )
    for (let amount = 1; amount <= 3; amount++)
      expect(await ask(whole(ADJUST, JSON_TYPE, adjustment(amount)))).toMatchObject({ status: 200 })
    expect(await credits.getBalance('ann', 'calling')).toBe(6)
    for (const { leave } of slow) leave()
  })

  it('whose sender may not ask is not waited for', async () => {
    const { url } = await serve('node:http')
    for (const headers of [{ 'content-type': 'application/json' }, { ...JSON_TYPE, cookie: 'session=eve' }]) {
      const call = sendRaw(url, silent(ADJUST, headers))
      expect((await call.answer).status).toBe(401)
      call.leave()
    }
  })

  it('of a sender that leaves is nobody’s error', async () => {
    const { url, errors, credits } = await serve('node:http')
    const call = sendRaw(url, silent(ADJUST, JSON_TYPE))
    await new Promise((resolve) => setTimeout(resolve, 50))
    call.leave()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(errors).toEqual([])
    expect(await credits.getBalance('ann', 'calling')).toBe(0)
  })
})
