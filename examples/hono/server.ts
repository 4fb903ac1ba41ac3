import { serve } from '@hono/node-server'
import { app } from './app.js'
import { credits } from './credits.js'
import { seedPackages } from './packages.js'

await seedPackages()

const port = Number(process.env.PORT ?? 3000)
const server = serve({ fetch: app.fetch, port, hostname: process.env.HOST ?? '127.0.0.1' }, () => {
  console.log(`Buy and spend credits: http://localhost:${port}`)
})

// Finish what is under way, then let an embedded database close its files.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close(() => void credits.close())
  })
}
