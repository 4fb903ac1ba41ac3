import type { Message } from './messages.js'
import { escaped, visible, webUrl } from './visible-text.js'

/** How messages look. */
interface FrameOptions {
  appName: string
  /** An http or https URL. */
  billingUrl: string
  /** BCP 47, of the words. */
  language: string
  /** `#rrggbb`, of the button. */
  accentColor: string
}

/**
 * A page that mail clients can show: tables, styles beside what they are of, nothing that is fetched. Gmail drops what is
 * on `body`, and Outlook knows neither inherited fonts nor `max-width`; so the outer table repeats it, and a table that
 * only Outlook sees holds the width.
 */
export function htmlFrame({ subject, body, facts = [], action }: Message, options: FrameOptions): string {
  const { appName, billingUrl, language, accentColor } = options
  const direction = directionOf(language)
  const link = action === undefined ? null : webUrl(action.url)
  const parts = [
    ...body.map((text) => `<p style="margin:0 0 16px">${escaped(text)}</p>`),
    factTable(facts, direction),
    action === undefined || link === null ? '' : button(action.label, link, accentColor),
  ]
  return `<!doctype html>
<html lang="${escaped(language)}" dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escaped(subject)}</title>
<style>${STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#f3f5f7">
<div style="display:none;max-height:0;overflow:hidden">${escaped(body[0] ?? '')}${PREVIEW_END}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" dir="${direction}" style="background-color:#f3f5f7">
<tr><td align="center" class="edge" style="padding:40px 16px">
<!--[if mso]><table role="presentation" width="520" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:520px">
<tr><td class="ink" style="padding:0 4px 16px;font:600 17px/1.4 ${FONT};color:#1b1f24;${BREAK}">${escaped(appName)}</td></tr>
<tr><td class="card ink" style="padding:32px;background-color:#ffffff;border:1px solid #dfe3e8;border-radius:12px;font:400 16px/1.5 ${FONT};color:#1b1f24;${BREAK}">
<h1 style="margin:0 0 16px;font:600 22px/1.3 ${FONT}">${escaped(subject)}</h1>
${parts.filter((part) => part !== '').join('\n')}
</td></tr>
<tr><td class="quiet" style="padding:16px 4px 0;font:400 13px/1.5 ${FONT};color:#5b6470;${BREAK}">${escaped(appName)} · <a href="${escaped(billingUrl)}" class="quiet" style="color:#5b6470;text-decoration:underline">${escaped(new URL(billingUrl).host)}</a></td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</table>
</body>
</html>
`
}

const FONT = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

/** Names and ids can be longer than a phone is wide. */
const BREAK = 'word-break:break-word;overflow-wrap:anywhere'

/** Inboxes fill their preview from what follows; this is nothing that can be seen, and longer than they show. */
const PREVIEW_END = '&#847;&zwnj;&nbsp;'.repeat(60)

const STYLE = `
@media (max-width: 480px) {
  .edge { padding: 24px 12px !important }
  .card { padding: 24px 20px !important }
}
@media (prefers-color-scheme: dark) {
  .page { background-color: #14171b !important }
  .card { background-color: #1e2227 !important; border-color: #333a42 !important }
  .ink { color: #e8eaed !important }
  .quiet { color: #a3acb8 !important }
  .line { border-color: #333a42 !important }
}
`

function factTable(facts: readonly (readonly [label: string, value: string])[], direction: Direction): string {
  const told = facts.filter(([, value]) => visible(value).trim() !== '')
  if (told.length === 0) return ''
  const [start, end] = direction === 'rtl' ? ['right', 'left'] : ['left', 'right']
  const cell = 'padding:10px 0;border-top:1px solid #e4e8ec;vertical-align:top'
  const rows = told.map(
    ([label, value]) =>
      `<tr><th scope="row" class="quiet line" align="${start}" style="${cell};font:400 15px/1.5 ${FONT};color:#5b6470;text-align:${start};word-break:normal;overflow-wrap:normal">${escaped(label)}</th>` +
      `<td class="ink line" align="${end}" style="${cell};padding-${start}:16px;font:400 15px/1.5 ${FONT};font-variant-numeric:tabular-nums;color:#1b1f24;text-align:${end};${BREAK}">${escaped(value)}</td></tr>`,
  )
  return `<table width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:8px 0 24px">\n${rows.join('\n')}\n</table>`
}

/** The cell has the colour, for clients that give links no padding. */
function button(label: string, link: string, color: string): string {
  const style = `display:inline-block;padding:12px 22px;border-radius:8px;font:600 16px/1.25 ${FONT};color:${inkOn(color)};text-decoration:none`
  return `<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr><td bgcolor="${color}" style="background-color:${color};border-radius:8px"><a href="${escaped(link)}" style="${style}">${escaped(label)}</a></td></tr></table>`
}

/** Black or white, whichever can be read on the colour. Source: WCAG's relative luminance. */
function inkOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000000' : '#ffffff'
}

type Direction = 'ltr' | 'rtl'

/** Scripts that are written from right to left, of the languages mail is written in. */
const RIGHT_TO_LEFT = new Set(['Arab', 'Hebr', 'Thaa', 'Syrc', 'Nkoo', 'Adlm', 'Rohg'])

function directionOf(language: string): Direction {
  return RIGHT_TO_LEFT.has(new Intl.Locale(language).maximize().script ?? '') ? 'rtl' : 'ltr'
}
