/** A piece of HTML that is safe to send. Only `html` makes one, so whatever else a page holds is text. */
export class SafeHtml {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }

  /**
   * The tag of all our templates: what is filled in is text, unless it is `SafeHtml` (or a list of it). Null, undefined
   * and false are nothing, for parts that are not always there.
   *
   * @throws {Error} A value outside of quotes in a tag: there, escaping would not be enough.
   */
  static readonly html = (parts: TemplateStringsArray, ...values: HtmlValue[]): SafeHtml => {
    let text = ''
    for (const [index, part] of parts.entries()) {
      text += part
      if (index === values.length) break
      if (/\s[\w:-]+=$/.test(part))
        throw new Error(`html: quote the attribute after ${JSON.stringify(part.slice(-40))}`)
      text += toText(values[index])
    }
    return new SafeHtml(text)
  }
}

export type HtmlValue = string | number | SafeHtml | null | undefined | false | readonly HtmlValue[]

export const { html } = SafeHtml

/** No markup at all. */
export const nothing = html``

function toText(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof SafeHtml) return value.toString()
  if (typeof value === 'object') return value.map(toText).join('')
  return escaped(String(value))
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

/** An `http(s)` URL as links may lead to it, such as the payment provider's pages; null: anything else. */
export function webUrl(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, href } = new URL(url)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}
