import type { Caller } from '../../../src/api/procedure.js'
import { html } from '../../console/html.js'

/** Where to go, and as whom. */
export function frontPage({ userId, isAdmin }: Caller, appName: string, origin: string): Response {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${appName}: creditkit dev</title>
        ${STYLE}
      </head>
      <body>
        <header><strong>creditkit dev</strong> <span>LOCAL</span></header>
        <main>
          <h1>${appName}</h1>
          <p>You are <b>${userId}</b>, ${isAdmin ? 'an administrator' : 'a customer'}. No money moves here.</p>
          <form action="/sign-in">
            <label for="user">User</label>
            <div class="row">
              <input id="user" name="user" value="${String(userId)}" autocomplete="off" />
              <button>Open as this customer</button>
              <button name="admin" value="yes">Open as an administrator</button>
            </div>
          </form>
          <ul>
            <li><a href="/credits">Balance, history and usage</a></li>
            <li><a href="/credits/buy">Buy credits</a>, and pay at the local Stripe</li>
            <li><a href="/api/credits/openapi.json">The REST API</a>, as an OpenAPI document</li>
          </ul>
          <p>Programs say who they are: <code>curl -H 'x-dev-user: ${userId}' ${origin}/api/credits/balances</code></p>
        </main>
      </body>
    </html> `
  return new Response(String(page), {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    },
  })
}

const STYLE = html`<style>
  :root {
    color-scheme: light dark;
  }
  body {
    margin: 0;
    font:
      16px/1.5 system-ui,
      sans-serif;
  }
  header {
    padding: 1.25rem;
    text-align: center;
  }
  header span {
    margin-left: 0.5rem;
    padding: 0.15rem 0.5rem;
    border-radius: 0.4rem;
    font-size: 0.75rem;
    font-weight: 600;
    background: #ffe3a3;
    color: #5c3d00;
  }
  main {
    max-width: 40rem;
    margin: 0 auto;
    padding: 0 1rem;
  }
  h1 {
    margin: 1rem 0 0.25rem;
  }
  label {
    display: block;
    font-weight: 600;
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }
  input,
  button {
    padding: 0.5rem 0.8rem;
    border: 1px solid #8885;
    border-radius: 0.5rem;
    font: inherit;
  }
  input {
    flex: 1 1 100%;
  }
  button {
    color: #fff;
    background: #4f46e5;
    cursor: pointer;
  }
  ul {
    padding-left: 1.25rem;
  }
  code {
    overflow-wrap: anywhere;
  }
</style>`
