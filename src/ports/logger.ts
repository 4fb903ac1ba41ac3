/**
 * Where we report what no caller is waiting for. As in pino: details first, then the sentence, and an error under `err`.
 * Details hold ids, never texts of users, bodies of webhooks or secrets.
 */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** The default: warnings and errors on the console, the rest nowhere. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (details, message) => {
    console.warn(`creditkit: ${message}`, details)
  },
  error: (details, message) => {
    console.error(`creditkit: ${message}`, details)
  },
}
