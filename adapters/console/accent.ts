type Rgb = readonly [red: number, green: number, blue: number]

/** WCAG 2.2, 1.4.3: text of ordinary size against what is behind it. */
const MIN_CONTRAST = 4.5

/** The accent colour as it can be read: as a surface with text on it, and as text on light and on dark pages. */
export function accent(hex: string, backgrounds: { light: string; dark: string }) {
  const colour = toRgb(hex)
  return {
    fill: hex,
    onFill: contrast(colour, WHITE) >= MIN_CONTRAST ? '#ffffff' : '#000000',
    onLight: readable(colour, toRgb(backgrounds.light), BLACK),
    onDark: readable(colour, toRgb(backgrounds.dark), WHITE),
  }
}

const WHITE: Rgb = [255, 255, 255]
const BLACK: Rgb = [0, 0, 0]

/** The first mixture with `towards` that can be read on the background. */
function readable(colour: Rgb, background: Rgb, towards: Rgb): string {
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = mix(colour, towards, share)
    if (contrast(mixed, background) >= MIN_CONTRAST) return toHex(mixed)
  }
  return toHex(towards)
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  const channel = (index: 0 | 1 | 2) => Math.round(a[index] + (b[index] - a[index]) * share)
  return [channel(0), channel(1), channel(2)]
}

/** By WCAG's formula, 1 to 21. */
function contrast(a: Rgb, b: Rgb): number {
  const [darker, lighter] = [luminance(a), luminance(b)].sort((first, second) => first - second)
  return ((lighter ?? 0) + 0.05) / ((darker ?? 0) + 0.05)
}

function luminance([red, green, blue]: Rgb): number {
  const linear = (channel: number) => {
    const value = channel / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

function toRgb(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16)
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255]
}

function toHex(colour: Rgb): string {
  return `#${colour.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`
}
