import { accent } from './accent.js'
import { FORMS } from './style/forms.js'
import { FRAME } from './style/frame.js'
import { PARTS } from './style/parts.js'

/** The console's one stylesheet. Its address changes with its content, so browsers may keep it for good. */
export interface Stylesheet {
  css: string
  /** Goes into its address. */
  hash: Promise<string>
}

const LIGHT = '#f6f7f9'
const DARK = '#12141a'

/** @param accentColor `#rrggbb`. */
export function stylesheet(accentColor: string): Stylesheet {
  const { fill, onFill, onLight, onDark } = accent(accentColor, { light: LIGHT, dark: '#2a3040' })
  const css = `${theme(fill, onFill, onLight, onDark)}${FRAME}${PARTS}${FORMS}`
  return { css, hash: hashOf(css) }
}

/** Every pair of ink and ground in here has a contrast of 4.5 or more, 3 for lines of controls (WCAG 2.2 AA). */
function theme(fill: string, onFill: string, onLight: string, onDark: string): string {
  return `
:root {
  color-scheme: light dark;
  --ink: #171a21; --soft: #565d6d; --line: #e1e4ea; --edge: #858c9b; --page: ${LIGHT}; --card: #ffffff; --hover: #eef0f4;
  --fill: ${fill}; --on-fill: ${onFill}; --accent: ${onLight};
  --good: #0b6b3a; --good-ground: #e3f5ea; --warn: #855300; --warn-ground: #fdf1da;
  --bad: #b01e2b; --bad-ground: #fdeaec; --calm: #454d5e; --calm-ground: #edeff3;
  --shadow: 0 1px 2px rgb(20 24 36 / .05), 0 2px 8px rgb(20 24 36 / .04);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #eceef3; --soft: #a4acbc; --line: #2b303c; --edge: #737c90; --page: ${DARK}; --card: #1a1d25; --hover: #242935;
    --accent: ${onDark};
    --good: #6fdca0; --good-ground: #12301f; --warn: #f2bd63; --warn-ground: #33270f;
    --bad: #ff9aa2; --bad-ground: #3a171b; --calm: #b9c0ce; --calm-ground: #282d39;
    --shadow: none;
  }
}
`
}

async function hashOf(css: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(css))
  return Array.from(new Uint8Array(digest).slice(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
