import type { NextConfig } from 'next'

const config: NextConfig = {
  // Loaded from node_modules instead of being bundled: the drivers it can do without need not be installed.
  serverExternalPackages: ['creditkit'],
}

export default config
