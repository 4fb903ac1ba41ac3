/** What a reader of the HTML sees. */
export function seen(html: string): string {
  return html
    .replace(/<style>.*?<\/style>/s, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
    .replaceAll(/[ \n]+/g, ' ')
    .trim()
}

/** The rows of the table of facts. */
export function rowsOf(html: string): [label: string, value: string][] {
  const rows = html.matchAll(/<tr><th [^>]*>(.*?)<\/th><td [^>]*>(.*?)<\/td><\/tr>/gs)
  return [...rows].map(([, label = '', value = '']) => [seen(label), seen(value)])
}
