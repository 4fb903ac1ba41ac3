import { createInterface } from 'node:readline/promises'

/** Where a command reads and writes; the process's own, or a test's. */
export interface Terminal {
  /** Where relative paths start. */
  cwd: string
  /** Results. Resolves when there is room for more. */
  out(text: string): Promise<void>
  /** Everything else: questions, progress, failures. */
  err(text: string): void
  /** Does a person sit there who can answer? */
  isInteractive: boolean
  /** Is what goes to `out` read by a person, in colours? */
  isColourful: boolean
  /** One line from the person. */
  ask(question: string): Promise<string>
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process
  return {
    cwd: process.cwd(),
    out: (text) => (stdout.write(text) ? Promise.resolve() : new Promise((resolve) => stdout.once('drain', resolve))),
    err: (text) => void stderr.write(text),
    isInteractive: stdin.isTTY && stderr.isTTY,
    isColourful: stdout.isTTY && !process.env.NO_COLOR,
    ask: async (question) => {
      // On stderr, so that stdout stays what it is: the result.
      const lines = createInterface({ input: stdin, output: stderr })
      try {
        return await lines.question(question)
      } finally {
        lines.close()
      }
    },
  }
}
