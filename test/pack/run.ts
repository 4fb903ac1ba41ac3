import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))

interface RunOptions {
  cwd: string
  env?: Record<string, string>
}

/** What the tests' own environment must not lend to what they run: a user has none of it. */
const OURS = /^(NODE_|VITEST|TEST$|npm_|STRIPE_|APP_URL$|DATABASE_URL$|CREDITS_|PORT$|HOST$|TS_NODE|TSX)/

export function cleanEnvironment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !OURS.test(name))
  return { ...Object.fromEntries(own), NEXT_TELEMETRY_DISABLED: '1', ...more }
}

/** Run a program to its end. Returns its output; rejects with it, unless it ends with 0. */
export async function run(command: string, args: string[], { cwd, env }: RunOptions): Promise<string> {
  const child = spawn(command, args, { cwd, env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer) => (output += chunk.toString())
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} in ${cwd} ended with ${code}:\n${output}`)
  return output
}

export interface RunningApp {
  url: string
  /** Everything it has printed. */
  output(): string
  /** Ask it to end as an operator would (SIGTERM), and wait; kill it after 10 s. */
  stop(): Promise<void>
}

/** Start an npm script that listens on `PORT`, and wait until it answers. It ends with the test, at the latest. */
export async function startApp(
  script: string,
  { cwd, env = {}, port, args = [] }: RunOptions & { port: number; args?: string[] },
): Promise<RunningApp> {
  const url = `http://127.0.0.1:${port}`
  const child = spawn('npm', ['run', script, '--', ...args], {
    cwd,
    env: cleanEnvironment({ ...env, PORT: String(port) }),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own process group: npm, the script and whatever they start are signalled together.
    detached: true,
  })
  let output = ''
  const collect = (chunk: Buffer) => (output += chunk.toString())
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // The group has ended: what was asked for.
    }
  }
  const stop = async () => {
    signal('SIGTERM')
    const timer = setTimeout(() => signal('SIGKILL'), 10_000)
    await ended
    clearTimeout(timer)
  }
  onTestFinished(stop)
  // A run that is broken off must not leave servers behind, either.
  process.once('exit', () => signal('SIGKILL'))

  const deadline = Date.now() + 90_000
  for (;;) {
    // Any answer will do; the webhook's path answers GET with 405 and needs no page to be compiled.
    const isUp = await fetch(`${url}/api/webhooks/stripe`).then(
      () => true,
      () => false,
    )
    if (isUp) return { url, output: () => output, stop }
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`npm run ${script} in ${cwd} never answered:\n${output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP server's address is an object; only pipes have a text.
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
