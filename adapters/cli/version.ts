import { readFileSync } from 'node:fs'

/** Of this package, built (`dist`) or from its sources (`adapters/cli`). */
export function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const manifest = readManifest(new URL(path, import.meta.url))
    if (manifest?.name === 'creditkit' && typeof manifest.version === 'string') return manifest.version
  }
  return 'unknown'
}

function readManifest(url: URL): { name?: unknown; version?: unknown } | null {
  try {
    const manifest: unknown = JSON.parse(readFileSync(url, 'utf8'))
    return typeof manifest === 'object' ? manifest : null
  } catch {
    // Not there: the other place has it.
    return null
  }
}
