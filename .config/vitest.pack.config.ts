import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { sourceAlias } from './vitest.config.js'

/** The packed tarball, installed and run as a user would. The tests' own tools come from the sources. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  resolve: { alias: sourceAlias },
  test: {
    include: ['test/pack/**/*.test.ts'],
    globalSetup: ['test/pack/global-setup.ts'],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
})
