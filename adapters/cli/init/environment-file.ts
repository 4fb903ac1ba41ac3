import type { Database, Framework } from './project.js'

/** What production needs to be told. */
export function environmentFile(framework: Framework, database: Database, devCommand: string): string {
  const where =
    database === 'pglite'
      ? `# Where the embedded database keeps its files (out of git, too); one process at a time. With DATABASE_URL it is PostgreSQL
# instead.
CREDITS_DATA_DIR=.data/credits
`
      : `DATABASE_URL=postgres://user:password@localhost:5432/app
`
  const host =
    framework === 'next'
      ? ''
      : `
# Who reaches the server: 127.0.0.1 is this machine alone, 0.0.0.0 everybody.
HOST=127.0.0.1
PORT=3000
`
  return `# Copy the lines to .env, and keep that file out of git. Development (${devCommand}) needs no Stripe: it has a local one.

${where}
# Stripe: dashboard.stripe.com/apikeys, in test mode first.
STRIPE_SECRET_KEY=
# The signing secret of the webhook endpoint APP_URL/api/webhooks/stripe, which needs the events of STRIPE_WEBHOOK_EVENTS
# (from creditkit/adapters/stripe). \`npx creditkit doctor\` looks whether all is there.
STRIPE_WEBHOOK_SECRET=
# Where people reach this app. Buyers are sent back only there.
APP_URL=https://app.example.com
${host}`
}
