import type { Message } from './messages.js'

/** How messages look. */
export interface FrameOptions {
  appName: string
  /** BCP 47, of the texts. */
  locale: string
  /** `#rrggbb`, of the button. */
  accentColor: string
}

/** The same facts as text, for readers and clients without HTML. */
export function textFrame({ body, facts = [], action }: Message, { appName }: FrameOptions): string {
  const link = action === undefined ? null : webUrl(action.url)
  const parts = [
    ...body.map(visible),
    facts.map(([label, value]) => `${label}: ${visible(value)}`).join('\n'),
    ...(action === undefined || link === null ? [] : [`${action.label}: ${link}`]),
    visible(appName),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** A page that mail clients can show: tables, inline styles, nothing that is fetched. */
export function htmlFrame({ subject, body, facts = [], action }: Message, options: FrameOptions): string {
  const { appName, locale, accentColor } = options
  const link = action === undefined ? null : webUrl(action.url)
  const paragraphs = body.map((text) => `<p style="margin:0 0 16px">${escaped(text)}</p>`).join('\n')
  const rows = facts
    .map(
      ([label, value], index) =>
        `<tr><th scope="row" class="quiet" style="${CELL}${index > 0 ? LINE : ''}font-weight:400;color:#5b6470;text-align:left;white-space:nowrap">${escaped(label)}</th>` +
        `<td style="${CELL}${index > 0 ? LINE : ''}padding-left:16px;text-align:right;word-break:break-word">${escaped(value)}</td></tr>`,
    )
    .join('\n')
  const table =
    rows === '' ? '' : `<table width="100%" style="border-collapse:collapse;margin:0 0 24px">${rows}</table>`
  const button =
    action === undefined || link === null
      ? ''
      : `<p style="margin:0 0 8px"><a href="${escaped(link)}" style="display:inline-block;padding:12px 20px;border-radius:8px;background:${accentColor};color:${textOn(accentColor)};font-weight:600;text-decoration:none">${escaped(action.label)}</a></p>`
  return `<!doctype html>
<html lang="${escaped(locale)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escaped(subject)}</title>
<style>
@media (prefers-color-scheme: dark) {
  .page { background: #14171b !important; color: #e8eaed !important }
  .card { background: #1e2227 !important; border-color: #333a42 !important }
  .quiet { color: #a3acb8 !important }
}
</style>
</head>
<body class="page" style="margin:0;background:#f3f5f7;color:#1b1f24;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif">
<div style="display:none;max-height:0;overflow:hidden">${escaped(body[0] ?? '')}</div>
<table role="presentation" width="100%" style="border-collapse:collapse"><tr><td align="center" style="padding:32px 16px">
<table role="presentation" width="100%" style="max-width:520px;border-collapse:separate;border-spacing:0"><tr><td style="padding:0 8px 12px;font-weight:600">${escaped(appName)}</td></tr>
<tr><td class="card" style="padding:32px;background:#ffffff;border:1px solid #dfe3e8;border-radius:12px">
<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">${escaped(subject)}</h1>
${[paragraphs, table, button].filter((part) => part !== '').join('\n')}
</td></tr></table>
</td></tr></table>
</body>
</html>
`
}

const CELL = 'padding:10px 0;vertical-align:top;font-variant-numeric:tabular-nums;'
const LINE = 'border-top:1px solid #8884;'

/** The link, where it leads to a web page; null: it is something else, and left out. */
export function webUrl(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, href } = new URL(url)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}

/** Black or white, whichever can be read on the colour. Source: WCAG's relative luminance. */
function textOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000000' : '#ffffff'
}

function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Without what changes how the text around it reads: controls, and marks that turn its direction. */
export function visible(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  return text.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ')
}
