import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The public names point at the sources, so tests import what users import and need no build. */
export const sourceAlias = [
  { find: /^creditkit$/, replacement: `${root}src/index.ts` },
  { find: /^creditkit\/api$/, replacement: `${root}src/api/index.ts` },
  { find: /^creditkit\/client$/, replacement: `${root}adapters/client.ts` },
  { find: /^creditkit\/react$/, replacement: `${root}adapters/react.tsx` },
  { find: /^creditkit\/(console|notifications)$/, replacement: `${root}adapters/$1/index.ts` },
  { find: /^creditkit\/testing$/, replacement: `${root}adapters/testing/index.ts` },
  { find: /^creditkit\/testing\/conformance$/, replacement: `${root}test/conformance/index.ts` },
  { find: /^creditkit\/adapters\/(postgres|stripe)$/, replacement: `${root}adapters/$1/index.ts` },
  { find: /^creditkit\/adapters\/(\w+)$/, replacement: `${root}adapters/$1.ts` },
]

/** `npm run test:long`: everything at full size. */
const isLong = process.env.TEST_HISTORIES !== undefined

export default defineConfig({
  root,
  resolve: { alias: sourceAlias },
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: ['test/pack/**', ...(isLong ? [] : ['test/long/**']), '**/node_modules/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Many tests wait for servers and time-outs: four at a time are faster than two, also on two cores.
    maxWorkers: 4,
    // A worker loads each module once instead of once per file: a third faster. So tests leave nothing behind in modules.
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
