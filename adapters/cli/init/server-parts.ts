import { type Language, typed } from './language.js'

/** What the file with the routes imports the others by. */
export interface RouteImports {
  credits: string
  caller: string
}

/** The same of the server's file. */
export interface ServerImports {
  credits: string
  routes: string
}

/** The end of every generated server's `start`. */
export function closing(language: Language): string {
  return `  await once(server, 'listening')
  console.log(\`Listening on http://localhost:\${port}\`)

  // Finish what is under way, then let an embedded database close its files.
  for (const signal of ['SIGINT', 'SIGTERM']${typed(language, ' as const')}) {
    process.once(signal, () => server.close(() => void credits.close()))
  }
`
}
