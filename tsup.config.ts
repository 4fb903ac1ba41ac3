import { defineConfig } from 'tsup'
import { writeDeclarations } from './.config/declarations.js'

const entry = {
  index: 'src/index.ts',
  'adapters/memory': 'adapters/memory.ts',
  'adapters/postgres': 'adapters/postgres/index.ts',
  'adapters/pglite': 'adapters/pglite.ts',
  'adapters/redis': 'adapters/redis.ts',
  'adapters/stripe': 'adapters/stripe/index.ts',
  'adapters/express': 'adapters/express.ts',
  'adapters/next': 'adapters/next.ts',
  'adapters/hono': 'adapters/hono.ts',
  'adapters/node': 'adapters/node.ts',
  'adapters/trpc': 'adapters/trpc.ts',
  api: 'src/api/index.ts',
  client: 'adapters/client.ts',
  react: 'adapters/react.tsx',
  console: 'adapters/console/index.ts',
  ai: 'adapters/ai.ts',
  'better-auth': 'adapters/better-auth.ts',
  opentelemetry: 'adapters/opentelemetry.ts',
  notifications: 'adapters/notifications/index.ts',
  cli: 'adapters/cli/index.ts',
  testing: 'adapters/testing/index.ts',
  'testing/conformance': 'test/conformance/index.ts',
}

/** One entry per line of `exports` in package.json; what two entries share becomes a chunk, so `instanceof` holds. */
export default defineConfig({
  entry,
  format: ['esm'],
  target: 'node20',
  splitting: true,
  treeshake: false,
  sourcemap: true,
  clean: false,
  // The command line is no module: nobody imports its types.
  onSuccess: async () => writeDeclarations(Object.values(entry).filter((source) => source !== entry.cli)),
})
