import { defineConfig } from 'tsup'

/**
 * The measured code is what users run: the sources, compiled as for `dist`. (tsx would wrap every function to keep its
 * name, which costs in hot paths; `dist` itself may be another commit's.)
 */
export default defineConfig({
  entry: { run: 'bench/run.ts', 'cold-deduct': 'bench/cold-deduct.ts' },
  outDir: 'node_modules/.cache/creditkit-bench',
  format: ['esm'],
  target: 'node20',
  splitting: true,
  treeshake: false,
  sourcemap: true,
  skipNodeModulesBundle: true,
  clean: true,
  dts: false,
})
