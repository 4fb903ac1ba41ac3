import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPGlite } from '../../adapters/postgres/databases/pglite.js'
import { lockDirectory } from '../../adapters/postgres/directory-lock.js'
import { StoreNotConfiguredError } from '../../src/errors.js'

let parent: string
let directory: string
let lockFile: string
let children: ChildProcess[] = []

beforeEach(() => {
  parent = realpathSync(mkdtempSync(join(tmpdir(), 'creditkit-lock-')))
  directory = join(parent, 'data')
  lockFile = `${directory}.creditkit.lock`
})
afterEach(async () => {
  await Promise.all(children.map(kill))
  children = []
  rmSync(parent, { recursive: true, force: true })
})

/** A real process; `source` is a module that has `lockDirectory` and `openPGlite`. Its lines come one at a time. */
function start(source: string): { child: ChildProcess; line: () => Promise<string> } {
  const adapters = new URL('../../adapters/postgres/', import.meta.url)
  const module = `
    import { lockDirectory } from '${new URL('directory-lock.ts', adapters).href}'
    import { openPGlite } from '${new URL('databases/pglite.ts', adapters).href}'
    ${source}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', module], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { child, line: async () => String((await lines.next()).value) }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** A process that holds the lock until it is told otherwise. */
async function startHolder() {
  const holder = start(`
    lockDirectory(${JSON.stringify(directory)})
    console.log('locked')
    process.stdin.once('data', () => process.exit(0))`)
  expect(await holder.line()).toBe('locked')
  return holder.child
}

/** A pid that was real and is free again. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return Number(child.pid)
}

function writeLock(file: string, owner: object): void {
  writeFileSync(file, JSON.stringify({ started: null, host: hostname(), token: 'abc123', ...owner }))
}

function age(file: string, seconds: number): void {
  const then = Date.now() / 1000 - seconds
  utimesSync(file, then, then)
}

function expectRefused(words: RegExp): void {
  expect(() => lockDirectory(directory)).toThrow(StoreNotConfiguredError)
  expect(() => lockDirectory(directory)).toThrow(words)
  expect(() => lockDirectory(directory)).toThrow(directory)
}

describe('a data directory', () => {
  it('is refused to a second instance in this process, until the first lets go', () => {
    const lock = lockDirectory(directory)
    expectRefused(new RegExp(`this process \\(pid ${process.pid}\\)`))
    lock.release()
    lock.release()
    expect(existsSync(lockFile)).toBe(false)
    lockDirectory(directory).release()
  })

  it('is one directory, however it is spelled', () => {
    const lock = lockDirectory(directory)
    symlinkSync(directory, join(parent, 'link'))
    for (const spelling of [
      `${directory}/`,
      `file://${directory}`,
      relative(process.cwd(), directory),
      join(parent, 'link'),
    ]) {
      expect(() => lockDirectory(spelling)).toThrow(StoreNotConfiguredError)
    }
    lock.release()
  })

  it('needs no lock where there is none', () => {
    for (const nowhere of [undefined, '', 'memory://', 'memory://x', 'idb://x']) {
      lockDirectory(nowhere).release()
      lockDirectory(nowhere)
    }
    expect(readdirSync(parent)).toEqual([])
  })

  it('is not unlocked by somebody who has lost the lock', () => {
    const lock = lockDirectory(directory)
    writeLock(lockFile, { pid: process.pid, token: 'def456' })
    lock.release()
    expect(readFileSync(lockFile, 'utf8')).toContain('def456')
  })
})

describe('a data directory of another process', () => {
  it('is refused while that process lives, and free once it has ended', async () => {
    const holder = await startHolder()
    expectRefused(new RegExp(`process ${String(holder.pid)}`))
    const exited = once(holder, 'exit')
    holder.stdin?.write('end\n')
    await exited
    expect(existsSync(lockFile)).toBe(false)
    lockDirectory(directory).release()
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)('is taken over after a %s', async (signal) => {
    const holder = await startHolder()
    const exited = once(holder, 'exit')
    holder.kill(signal)
    await exited
    expect(existsSync(lockFile)).toBe(true)
    const lock = lockDirectory(directory)
    expectRefused(/this process/)
    lock.release()
    expect(readdirSync(parent)).toEqual([basename(directory)])
  })

  it('is taken over when the pid has been given to another program', () => {
    writeLock(lockFile, { pid: process.ppid, started: 'another time' })
    lockDirectory(directory).release()
  })

  it('is refused when only the pid is known and it is in use', () => {
    writeLock(lockFile, { pid: process.ppid, started: null })
    expectRefused(new RegExp(`process ${process.ppid}`))
  })

  it('goes to exactly one of many who find a dead lock at the same time', { timeout: 60_000 }, async () => {
    const pid = await deadPid()
    const rounds = 40
    for (let round = 0; round < rounds; round += 1) writeLock(join(parent, `${round}.creditkit.lock`), { pid })
    const takers = Array.from({ length: 5 }, () =>
      start(`
        console.log('ready')
        process.stdin.once('data', (data) => {
          const at = Number(data)
          const won = []
          for (let round = 0; round < ${rounds}; round += 1) {
            while (Date.now() < at + round * 10);
            try { lockDirectory(${JSON.stringify(parent)} + '/' + round); won.push(round) } catch {}
          }
          console.log(JSON.stringify(won))
        })`),
    )
    await Promise.all(takers.map(({ line }) => line()))
    for (const { child } of takers) child.stdin?.write(String(Date.now() + 100))
    // Nobody leaves before all have tried: their standard input stays open.
    const wins = await Promise.all(takers.map(async ({ line }) => JSON.parse(await line()) as number[]))
    expect(wins.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: rounds }, (_, round) => round))
    expect(wins.filter((won) => won.length > 0).length).toBeGreaterThan(1)
  })

  it('is taken over, too, when a taker died on the way', async () => {
    const pid = await deadPid()
    writeLock(lockFile, { pid, token: 'aaa' })
    writeLock(`${lockFile}.aaa`, { pid, token: 'bbb' })
    writeLock(`${lockFile}.aaa.bbb`, { pid, token: 'ccc' })
    lockDirectory(directory).release()
    expect(readdirSync(parent)).toEqual([basename(directory)])
  })

  it('is refused to a taker while another one is at it', async () => {
    writeLock(lockFile, { pid: await deadPid(), token: 'aaa' })
    writeLock(`${lockFile}.aaa`, { pid: process.ppid, token: 'bbb' })
    expectRefused(/in use/)
  })

  it.each(['', '{', '{"pid":"1"}', '{"pid":1,"started":null,"host":"h","token":"../x"}'])(
    'with the unreadable lock %j is refused while that is fresh, and taken over later',
    (content) => {
      writeFileSync(lockFile, content)
      expectRefused(/another process/)
      age(lockFile, 120)
      lockDirectory(directory).release()
      expect(readdirSync(parent)).toEqual([basename(directory)])
    },
  )

  it('on another host is refused while its holder shows that it lives, and taken over when it falls silent', () => {
    writeLock(lockFile, { pid: 1, host: 'elsewhere' })
    expectRefused(/process 1 on host elsewhere/)
    age(lockFile, 120)
    lockDirectory(directory).release()
  })
})

describe('PGlite on disk', () => {
  it('opens in one place at a time, and keeps what a killed process had written', { timeout: 60_000 }, async () => {
    const { child, line } = start(`
      const database = openPGlite(${JSON.stringify(directory)})
      await database.query('create table t (n int)', [])
      await database.query('insert into t values ($1::text::int)', ['7'])
      console.log('written')
      setInterval(() => {}, 1000)`)
    expect(await line()).toBe('written')
    const database = openPGlite(directory)
    await expect(database.query('select n from t', [])).rejects.toThrow(new RegExp(`process ${String(child.pid)}`))
    await kill(child)
    expect(await database.query('select n from t', [])).toEqual([{ n: 7 }])
    await database.close()
    expect(existsSync(lockFile)).toBe(false)
  })
})
