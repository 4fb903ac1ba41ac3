/** How the generated files are written: TypeScript, or JavaScript that Node runs as it stands. */
export interface Language {
  isTyped: boolean
  extension: 'ts' | 'js' | 'mjs'
  /** What other files are imported by: TypeScript's name of the compiled file; for a bundler, nothing. */
  importExtension: '.js' | '.mjs' | ''
}

/** `.mjs`, where `.js` files are CommonJS. A bundler does not care. */
export function languageOf(isTyped: boolean, isModule: boolean, isBundled: boolean): Language {
  if (isTyped) return { isTyped, extension: 'ts', importExtension: isBundled ? '' : '.js' }
  const extension = isModule || isBundled ? 'js' : 'mjs'
  return { isTyped, extension, importExtension: isBundled ? '' : `.${extension}` }
}

/** A part that only TypeScript has. */
export function typed({ isTyped }: Language, text: string): string {
  return isTyped ? text : ''
}
