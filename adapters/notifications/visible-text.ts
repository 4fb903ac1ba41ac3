/**
 * What others wrote, without what changes how the text around it reads: a control becomes a space, and marks that turn
 * the direction of text are left out.
 */
export function visible(text: string): string {
  return (
    text
      .toWellFormed()
      .replaceAll(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
      // eslint-disable-next-line no-control-regex -- these are what is looked for
      .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
  )
}

/** Visible text that stays text wherever HTML has text or a quoted attribute. */
export function escaped(text: string): string {
  return visible(text).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** At most so long, and not ending in half of a character. */
export function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text
  return `${text.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** The link in its normal form, where it leads to a web page; null: it is something else. */
export function webUrl(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, href } = new URL(url)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}
