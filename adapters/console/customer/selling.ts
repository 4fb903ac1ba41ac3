import { isCreditError } from '../../../src/errors.js'
import type { Content, Visit } from '../frame.js'
import { html, webUrl } from '../html.js'
import { buttonLink, empty } from '../parts.js'

/** Null where the host sells nothing: then there is nothing to show about it. */
export async function ifSelling<R>(ask: () => Promise<R>): Promise<R | null> {
  try {
    return await ask()
  } catch (error) {
    if (isCreditError(error, 'PAYMENTS_NOT_CONFIGURED')) return null
    throw error
  }
}

/** The page of a host that sells nothing. */
export function nothingIsSold(title: string): Content {
  return {
    title,
    body: html`<div class="card">${empty('Nothing is on sale', 'Credits can’t be bought here at the moment.')}</div>`,
  }
}

/**
 * On to the payment provider, as the answer to a form. Not a redirect: the policy's `form-action` would stop it, and which
 * address the provider uses is not known beforehand. A reload repeats the form, whose key leads to the same page.
 */
export function leaveTo(title: string, url: string): Content {
  const target = webUrl(url)
  if (target === null) throw new Error('leaveTo: the payment provider named a page that is no http(s) URL')
  return {
    title,
    refresh: { seconds: 0, url: target },
    body: html`<div class="card stack">
      <p>You are being taken to our payment provider’s page.</p>
      <p>${buttonLink(target, 'Continue', 'primary')}</p>
    </div>`,
  }
}

/** The types of credit there are, in the host's order. */
export async function creditTypesOf(visit: Visit): Promise<string[]> {
  return Object.keys(await visit.run('getBalances', {}))
}

/** The type a page is about: the one asked for, else the first. */
export function chosenType(asked: string | null, types: readonly string[]): string {
  return types.find((type) => type === asked) ?? types[0] ?? ''
}
