/** As much of a browser as the pages need: open one, press a button of one of its forms, follow redirects. */
export class Browser {
  /** The page that is open. */
  url = ''
  html = ''
  readonly #headers: Record<string, string>

  /** `userId`: who the examples' demo sign-in takes this browser for. */
  constructor(userId: string) {
    this.#headers = { 'x-user-id': userId }
  }

  async open(url: string): Promise<void> {
    await this.#show(await fetch(url, { headers: this.#headers }), url)
  }

  /** Submit the form whose button reads so, as a page without JavaScript would. */
  async press(label: string): Promise<void> {
    const { form, button } = this.#find(label)
    const fields: [string, string][] = []
    for (const [input] of form.matchAll(/<input\b[^>]*>/g)) {
      const name = attribute(input, 'name')
      if (name !== null) fields.push([name, attribute(input, 'value') ?? ''])
    }
    const action = attribute(button, 'name')
    if (action !== null) fields.push([action, attribute(button, 'value') ?? ''])

    const isMultipart = /^<form[^>]*enctype="multipart\/form-data"/i.test(form)
    const body = isMultipart ? new FormData() : new URLSearchParams()
    for (const [name, value] of fields) body.append(name, value)
    const url = new URL(attribute(form, 'action') ?? '', this.url).href
    // A browser names the page's origin, which is how Next tells its own forms from others'.
    const headers = { ...this.#headers, origin: new URL(this.url).origin }
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual' })
    const location = response.headers.get('location')
    if (response.status !== 303 || location === null) return this.#show(response, url)
    await this.open(new URL(location, url).href)
  }

  /** The credits shown by the examples' pages. */
  get balance(): number {
    return Number(/data-balance="(-?\d+)"/.exec(this.html)?.[1])
  }

  async #show(response: Response, url: string): Promise<void> {
    this.url = url
    // React marks where texts meet.
    this.html = (await response.text()).replaceAll('<!-- -->', '')
    if (!response.ok) throw new Error(`${url} answered ${response.status}:\n${this.html.slice(0, 2000)}`)
  }

  #find(label: string): { form: string; button: string } {
    for (const [form] of this.html.matchAll(/<form\b.*?<\/form>/gs)) {
      const buttons = form.matchAll(/(<button\b[^>]*>)(.*?)<\/button>/gs)
      for (const [, button = '', text = ''] of buttons) if (text.trim() === label) return { form, button }
    }
    throw new Error(`${this.url} has no button "${label}":\n${this.html}`)
  }
}

function attribute(tag: string, name: string): string | null {
  const opening = /^<[^>]*>/.exec(tag)?.[0] ?? ''
  return new RegExp(`\\s${name}="([^"]*)"`).exec(opening)?.[1] ?? null
}
