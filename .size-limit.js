import { readFileSync } from 'node:fs'

/*
 * What importing an entry point costs, with our own dependencies and without its peers, minified and compressed. A limit is
 * raised in the commit that needs it, so that a reviewer sees it.
 */
const LIMITS = {
  '.': '120 kB',
  './adapters/memory': '46 kB',
  './adapters/postgres': '44 kB',
  './adapters/pglite': '39 kB',
  './adapters/redis': '36 kB',
  './adapters/stripe': '11 kB',
  './adapters/express': '5.0 kB',
  './adapters/next': '5.5 kB',
  './adapters/hono': '3.7 kB',
  './adapters/node': '2.3 kB',
  './adapters/trpc': '37 kB',
  './api': '43 kB',
  './client': '3 kB',
  './react': '2.3 kB',
  './console': '76 kB',
  './ai': '7 kB',
  './better-auth': '2.0 kB',
  './opentelemetry': '1.8 kB',
  './notifications': '4.8 kB',
  './testing': '57 kB',
  './testing/conformance': '175 kB',
}

const { exports, peerDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

export default Object.entries(exports)
  .filter(([, target]) => typeof target === 'object')
  .map(([entry, target]) => ({
    name: entry.replace('.', 'creditkit'),
    path: target.default,
    // An entry point without a limit of its own has to be given one.
    limit: LIMITS[entry] ?? '0 B',
    ignore: [...Object.keys(peerDependencies), 'vitest'],
    modifyEsbuildConfig: (config) => ({ ...config, platform: 'node', logLevel: 'error' }),
  }))
