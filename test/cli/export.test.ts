import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { CreditService, type CreditStore } from '../../src/index.js'
import { commandLine, lastingStore } from './command-line.js'

const serviceOn = (store: CreditStore) => () => new CreditService({ creditTypes: ['calls', 'leads'], store })

describe('export', () => {
  const service = serviceOn(lastingStore())
  const people = Array.from({ length: 250 }, (_, index) => `user-${String(index).padStart(3, '0')}`)

  beforeAll(async () => {
    const credits = service()
    for (const [index, userId] of people.entries())
      await credits.addCredits({ userId, amount: index + 1, creditType: 'calls', description: 'Gift, "free"' })
    await credits.deductCredits({ userId: 'user-000', amount: 1, creditType: 'calls', description: '=cmd()' })
  })

  it('writes balances that import reads back to the same balances', async () => {
    const { creditkit, cwd } = commandLine(service)
    const { stdout, code } = await creditkit('export', 'balances')
    expect(code).toBe(0)
    const lines = stdout.trim().split('\r\n')
    expect(lines).toHaveLength(1 + 2 * people.length)
    expect(lines.slice(0, 3)).toEqual(['user_id,credit_type,balance', 'user-000,calls,0', 'user-000,leads,0'])

    writeFileSync(join(cwd, 'balances.csv'), stdout)
    const copy = commandLine(serviceOn(lastingStore()), cwd)
    expect(await copy.creditkit('import', 'balances.csv', '--apply', '--yes')).toMatchObject({ code: 0 })
    expect(
      (await copy.creditkit('export', 'balances', '--user', 'user-249', '--credit-type', 'calls')).stdout,
    ).toContain('user-249,calls,250\r\n')
  })

  it('writes every row of every ledger, as CSV that no spreadsheet runs or as JSON lines', async () => {
    const { creditkit } = commandLine(service)
    const all = (await creditkit('export', 'ledger', '--format', 'jsonl')).stdout.trim().split('\n')
    expect(all).toHaveLength(people.length + 1)
    expect(JSON.parse(all[0] ?? '')).toMatchObject({ userId: 'user-000', seq: 2, amount: -1, description: '=cmd()' })
    const one = (await creditkit('export', 'ledger', '--user', 'user-000')).stdout.split('\r\n')
    expect(one[0]).toMatch(/^id,user_id,credit_type,seq,/)
    expect(one[1]).toContain(`,'=cmd(),`)
    expect(one[2]).toContain('"Gift, ""free"""')
    expect(one).toHaveLength(4)
    const past = await creditkit('export', 'ledger', '--to', '2020-01-01')
    expect(past.stdout.split('\r\n')).toHaveLength(2)
    expect(await creditkit('export', 'ledger', '--from', 'yesterday')).toMatchObject({ code: 2 })
    expect(await creditkit('export', 'ledger', '--format', 'xml')).toMatchObject({ code: 2 })
  })
})
