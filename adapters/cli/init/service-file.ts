import { type Language, typed } from './language.js'
import type { Database, Framework } from './project.js'

/** The service, and what is on sale. `schemaImport`: where the host's own tables come from. */
export function serviceFile(
  language: Language,
  framework: Framework,
  database: Database,
  schemaImport: string,
): string {
  const isNext = framework === 'next'
  const store: Record<Database, { imports: string; option: string }> = {
    pglite: {
      imports: '',
      option: `  // No \`store\`: DATABASE_URL if it is set, else an embedded Postgres in the folder CREDITS_DATA_DIR. With neither it is
  // in memory and gone with the process, which production refuses.
`,
    },
    postgres: {
      imports: `import { postgresStore } from 'creditkit/adapters/postgres'\n`,
      option: `  // What DATABASE_URL names; \`npx creditkit migrate\` makes the tables, in a schema of their own. Pass your \`pg\` Pool or
  // Drizzle database instead to share its connections, and its transactions (\`tx\`).
  store: postgresStore(),
`,
    },
    drizzle: {
      imports: `import { postgresStore } from 'creditkit/adapters/postgres'\n`,
      option: `  // What DATABASE_URL names. Pass your own Drizzle database instead of \`undefined\` to share its connections, and its
  // transactions (\`tx\`).
  store: postgresStore(undefined, { tables }),
`,
    },
  }
  const { imports, option } = store[database]
  return `import { CreditService } from 'creditkit'
${imports}import { stripePayments } from 'creditkit/adapters/stripe'
${database === 'drizzle' ? `import { tables } from '${schemaImport}'\n` : ''}${
    isNext
      ? `
// \`next build\` imports every route, and needs no secrets for it. A running server does, and says what is missing.
const isBuilding = process.env.NEXT_PHASE === 'phase-production-build'
`
      : ''
  }
/** This app's credits. The \`creditkit\` commands find them in this file, too. */
export const credits = new CreditService({
  // The kinds of credits there are. Any other one is refused${typed(language, ', and does not compile')}.
  creditTypes: ['credits'],
  // Reads STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET and APP_URL, and says what is missing.
  payments: ${isNext ? 'isBuilding ? undefined : stripePayments()' : 'stripePayments()'},
${option}})

/** What is on sale; prices are in cents. */
const PACKAGES = [
  { key: 'starter', name: 'Starter', creditAmount: 100, price: 999 },
  { key: 'growth', name: 'Growth', creditAmount: 500, price: 3999 },
]

/** Let the database's catalogue say what this file says. Safe at every start: \`key\` finds a package again. */
export async function offerPackages()${typed(language, ': Promise<void>')} {
  for (const [sortOrder, pack] of PACKAGES.entries()) {
    await credits.marketplace.upsertPackage({ ...pack, creditType: 'credits', sortOrder })
  }
}
`
}
