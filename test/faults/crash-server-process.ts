import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/*
 * Owns a PostgreSQL that is stopped at once and started again, on directories that somebody else made. When its parent goes
 * away, even by `kill -9`, the server ends.
 *
 *   fork(this file, [uid, gid, postgres, ...arguments])   -1: not to be changed
 *   'start' → 'started'; 'crash' → 'crashed'
 */
const [uid = '-1', gid = '-1', command = '', ...args] = process.argv.slice(2)
const user = uid === '-1' ? {} : { uid: Number(uid), gid: Number(gid) }
let server: ChildProcess | null = null

process.on('message', (wanted: 'start' | 'crash') => {
  const work = wanted === 'start' ? start() : crash()
  work.then(
    () => process.send?.(wanted === 'start' ? 'started' : 'crashed'),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
process.once('disconnect', () => {
  crash().then(
    () => process.exit(0),
    () => process.exit(1),
  )
})

async function start(): Promise<void> {
  const child = spawn(command, args, { ...user, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  server = child
  let log = ''
  await new Promise<void>((ready, failed) => {
    child.stderr.on('data', (chunk) => {
      log = (log + String(chunk)).slice(-8_000)
      if (log.includes('ready to accept connections')) ready()
    })
    child.once('error', failed)
    child.once('exit', (code) => failed(new Error(`PostgreSQL ended with ${String(code)}:\n${log}`)))
  })
}

/** An immediate stop: no session ends what it is at, and the next start has to recover. */
async function crash(): Promise<void> {
  const child = server
  server = null
  if (child === null || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGQUIT')
  await ended
}
