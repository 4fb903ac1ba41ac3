import { describe, expect, it } from 'vitest'
import { commandLine } from './command-line.js'

const WITH_JSON = [
  ...['balance', 'history', 'adjust', 'verify', 'rebuild', 'reconcile', 'fulfill', 'import', 'shadow', 'migrate'],
  ...['generate', 'doctor', 'prove', 'export balances', 'export ledger', 'init'],
]
const OTHERS = ['dev', 'demo', 'export']

describe('help', () => {
  it('lists every command, with what each exit code means', async () => {
    const { code, stdout, stderr } = await commandLine().creditkit('--help')
    expect([code, stderr]).toEqual([0, ''])
    const names = [...WITH_JSON, ...OTHERS].map((command) => command.split(' ')[0])
    for (const name of names) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    expect(stdout).toContain('2 it was called wrongly and did nothing')
    expect(stdout).not.toContain('prove-worker')
  })

  it.each(WITH_JSON)('of %s tells its use and every option, with --json', async (command) => {
    const { code, stdout, stderr } = await commandLine().creditkit(...command.split(' '), '--help')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`Usage: creditkit ${command}`)
    expect(stdout).toMatch(/^ {2}--json +the result as JSON/m)
    expect(stdout).toMatch(/^ {2}-h, --help /m)
  })

  it.each(OTHERS)('of %s tells its use', async (command) => {
    const { code, stdout } = await commandLine().creditkit(command, '--help')
    expect(code).toBe(0)
    expect(stdout).toContain(`Usage: creditkit ${command}`)
  })

  it('is what a wrong call is pointed to, which ends with 2', async () => {
    for (const args of [
      ['nonsense'],
      ['balance'],
      ['balance', 'ada', '--colour'],
      ['history', 'ada', '--limit', '0'],
    ]) {
      const { code, stdout, stderr } = await commandLine().creditkit(...args)
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toContain('--help')
    }
  })

  it('leaves the version to --version', async () => {
    const { code, stdout } = await commandLine().creditkit('--version')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
