import type { Message } from './messages.js'
import { visible, webUrl } from './visible-text.js'

/** The facts of the HTML as text, for readers and clients without it. */
export function textFrame({ body, facts = [], action }: Message, { appName }: { appName: string }): string {
  const link = action === undefined ? null : webUrl(action.url)
  const told = facts.filter(([, value]) => visible(value).trim() !== '')
  const parts = [
    ...body,
    told.map(([label, value]) => `${visible(label)}: ${visible(value)}`),
    action === undefined || link === null ? '' : `${action.label}: ${link}`,
    appName,
  ]
  const blocks = parts.map((part) => (typeof part === 'string' ? visible(part) : part.join('\n')))
  return `${blocks.filter((block) => block.trim() !== '').join('\n\n')}\n`
}
