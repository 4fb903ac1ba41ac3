import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { StoreNotConfiguredError } from '../../src/errors.js'

export interface DirectoryLock {
  /** Let others open the directory. Repeating it does nothing. */
  release(): void
}

/**
 * Claim a PGlite data directory for this process. PGlite itself does not: two processes that open one directory both
 * write, without an error, and lose what the other one wrote.
 *
 * The lock is the file `<directory>.creditkit.lock` next to the directory. It is given back by `release` and when the
 * process exits; one that a killed process left behind is taken over, by exactly one of those who try. In memory
 * (`undefined`, `memory://`) and in browsers' storage there is nothing to lock.
 *
 * @throws {StoreNotConfiguredError} Somebody has the directory open: another process, or this one.
 */
export function lockDirectory(dataDir: string | undefined): DirectoryLock {
  const directory = fileDirectory(dataDir)
  if (directory === undefined) return { release: () => {} }
  mkdirSync(directory, { recursive: true })
  // One lock for all spellings of a path.
  const path = realpathSync(directory)
  const file = `${path}.creditkit.lock`
  const token = acquire(file, path)

  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS)
  heartbeat.unref()
  const release = (): void => {
    clearInterval(heartbeat)
    process.removeListener('exit', release)
    if (readOwner(file)?.token === token) rmSync(file, { force: true })
  }
  process.on('exit', release)
  return { release }
}

interface Owner {
  pid: number
  /** When the process started, as its system tells it; null where it does not. Unmasks a pid given out again. */
  started: string | null
  /** Pids mean something on one host (or in one container) only. */
  host: string
  /** Unique per lock. */
  token: string
}

/** How often a holder shows that it lives, for those who can't look at its pid, in milliseconds. */
const HEARTBEAT_MS = 5_000

/** How long a holder on another host, or a file without a readable owner, must have been silent, in milliseconds. */
const SILENCE_MS = 30_000

/**
 * Create `file` with our name in it, or take it over from a dead owner. Replacing is done under a second lock named
 * after the dead owner's token, so of several takers one gets it, and a late one finds the token changed. A taker that
 * dies leaves that second lock behind, which is taken over in the same way.
 */
function acquire(file: string, directory: string): string {
  const token = randomBytes(12).toString('hex')
  const me: Owner = { pid: process.pid, started: startOf(process.pid), host: hostname(), token }
  const content = JSON.stringify(me)
  if (createExclusively(file, content)) return token

  const dead = deadToken(file, directory)
  const takeover = `${file}.${dead}`
  acquire(takeover, directory)
  try {
    if (deadToken(file, directory) !== dead) throw inUse(directory, undefined)
    const replacement = `${file}.${token}`
    writeFileSync(replacement, content)
    renameSync(replacement, file)
    return token
  } finally {
    rmSync(takeover, { force: true })
  }
}

/** @returns false when the file is there already. */
function createExclusively(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: 'wx' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** The token of an owner that is surely dead; throws when it lives, or may. */
function deadToken(file: string, directory: string): string {
  const owner = readOwner(file)
  if (owner && owner.host === hostname() ? isRunning(owner) : !isSilent(file)) throw inUse(directory, owner)
  // Without a readable owner somebody died between creating the file and writing to it.
  return owner?.token ?? 'unreadable'
}

function inUse(directory: string, owner: Owner | undefined): StoreNotConfiguredError {
  const elsewhere = owner && owner.host !== hostname() ? ` on host ${owner.host}` : ''
  const who =
    owner === undefined
      ? 'another process'
      : owner.pid === process.pid && elsewhere === ''
        ? `this process (pid ${owner.pid})`
        : `process ${owner.pid}${elsewhere}`
  return new StoreNotConfiguredError(
    `The data directory ${directory} is in use by ${who}: PGlite allows one at a time. Share one instance, end the ` +
      'other process, or use Postgres (DATABASE_URL)',
  )
}

function readOwner(file: string): Owner | undefined {
  try {
    const owner: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isOwner(owner) ? owner : undefined
  } catch {
    // Gone, or not written yet: nobody we could name.
    return undefined
  }
}

function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false
  const { pid, started, host, token } = value as Partial<Record<keyof Owner, unknown>>
  return (
    Number.isSafeInteger(pid) &&
    (started === null || typeof started === 'string') &&
    typeof host === 'string' &&
    typeof token === 'string' &&
    /^[0-9a-f]+$/.test(token)
  )
}

function isRunning({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it runs, under another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  const startedNow = startOf(pid)
  return started === null || startedNow === null || started === startedNow
}

function isSilent(file: string): boolean {
  try {
    return Date.now() - statSync(file).mtimeMs > SILENCE_MS
  } catch {
    // Gone in this moment: its owner has just let go, so it was no dead one. Who tries again gets it.
    return false
  }
}

function touch(file: string): void {
  try {
    const now = new Date()
    utimesSync(file, now, now)
  } catch {
    // Somebody removed the file or the disk refuses. Being silent costs us nothing as long as our pid can be seen.
  }
}

/** When a process started, in a form only good for comparing; null where the system does not tell. */
function startOf(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The name in parentheses may contain anything; after it, the state is the first field, the start the 20th.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z' || fields[0] === 'X') return 'ended'
      return fields[19] === undefined ? null : `${boot} ${fields[19]}`
    }
    if (process.platform === 'win32') return null
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

/** The directory on disk that PGlite would use, by its own reading of `dataDir`. */
function fileDirectory(dataDir: string | undefined): string | undefined {
  if (dataDir === undefined || dataDir === '') return undefined
  if (dataDir.startsWith('file://')) return dataDir.slice('file://'.length)
  return /^(?:memory|idb|opfs-ahp|memfs2opfs):\/\//.test(dataDir) ? undefined : dataDir
}
