/** A piece of HTML that is safe to send. */
export class Html {
  constructor(readonly text: string) {}
}

/** html`<b>${name}</b>` escapes what is filled in, unless it is `Html` itself (or a list of it). */
export function html(parts: TemplateStringsArray, ...values: (string | number | Html | Html[])[]): Html {
  return new Html(String.raw({ raw: parts }, ...values.map(toText)))
}

function toText(value: string | number | Html | Html[]): string {
  if (Array.isArray(value)) return value.map(toText).join('')
  if (value instanceof Html) return value.text
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
