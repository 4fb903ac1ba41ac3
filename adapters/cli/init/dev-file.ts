import { type Language, typed } from './language.js'

const HEADER = `/*
 * The app beside a local Stripe: no account, no key, no money. For this machine alone: whoever gets here may say who they
 * are, and buys for nothing.
 */
`

const BEGIN = `  if (process.env.NODE_ENV === 'production') throw new Error('This is for development only')
  if (existsSync('.env')) process.loadEnvFile()

  const port = process.env.PORT ?? '3000'
  const stripe = await fakeStripe({
    webhookUrl: \`http://127.0.0.1:\${port}/api/webhooks/stripe\`,
    webhookSecret: \`whsec_\${randomBytes(24).toString('hex')}\`,
  })
  Object.assign(process.env, {
    STRIPE_API_URL: stripe.url,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
    APP_URL: \`http://localhost:\${port}\`,
    CREDITS_DEV: 'yes',
    HOST: '127.0.0.1',
  })
`

const SAY = `  console.log(\`A customer:       http://localhost:\${port}/dev/sign-in?user=ada\`)
  console.log(\`An administrator: http://localhost:\${port}/dev/sign-in?user=admin\`)
`

/** Starts `server` in the same process. */
export function serverDevFile(language: Language): string {
  return `import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { fakeStripe } from 'creditkit/testing'

${HEADER}
async function start()${typed(language, ': Promise<void>')} {
${BEGIN}  for (const signal of ['SIGINT', 'SIGTERM']${typed(language, ' as const')}) process.once(signal, () => void stripe.close())

  const { started } = await import('./server${language.importExtension}')
  await started
${SAY}}

void start()
`
}

/** Starts \`next dev\` as a process of its own. JavaScript, so that nothing has to be installed to run it. */
export function nextDevFile(): string {
  return `import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fakeStripe } from 'creditkit/testing'

${HEADER}
async function start() {
${BEGIN}
  const next = createRequire(import.meta.url).resolve('next/dist/bin/next')
  const args = [next, 'dev', '--hostname', '127.0.0.1', '--port', port]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill())
  child.once('exit', (code) => process.exit(code ?? 0))
${SAY}}

void start()
`
}
