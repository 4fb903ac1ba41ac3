import { type Language, typed } from './language.js'
import type { Framework } from './project.js'

/*
 * Who calls is the host's to say. Until it does, nobody is let in: not by a header, and not where NODE_ENV was forgotten. The
 * one exception needs a variable that only the development script sets, which listens to its own machine alone.
 */

export function callerFile(language: Language, framework: Framework, devCommand: string): string {
  const isExpress = framework === 'express'
  const imports = [
    typed(language, `import type { Caller } from 'creditkit/api'\n`),
    isExpress ? typed(language, `import type { Request, Response } from 'express'\n`) : '',
  ].join('')
  const cookie = isExpress ? `request.get('cookie')` : `request.headers.get('cookie')`
  return `${imports}${imports === '' ? '' : '\n'}/**
 * Who is calling; null: nobody is signed in, and whatever needs a user answers 401.
 *
 * Fill in your own session check below. As it stands nobody is let in, but for development (\`${devCommand}\`), where a
 * cookie says who somebody is. Never take a user id from what a client sends: whoever sends it spends that user's credits.
 */
export async function callerOf(request${typed(language, ': Request')})${typed(language, ': Promise<Caller | null>')} {
  if (isDevelopment()) return developer(request)
  // const session = await yourSession(request)
  // if (session) return { userId: session.userId, isAdmin: session.role === 'admin' }
  return null
}

/** Set by the development script alone, and never believed in production. */
function isDevelopment()${typed(language, ': boolean')} {
  return process.env.CREDITS_DEV === 'yes' && process.env.NODE_ENV !== 'production'
}

function developer(request${typed(language, ': Request')})${typed(language, ': Caller | null')} {
  const userId = /(?:^|; )dev-user=([\\w.-]+)/.exec(${cookie} ?? '')?.[1]
  return userId === undefined ? null : { userId, isAdmin: userId === 'admin' }
}

${isExpress ? expressSignIn(language) : fetchSignIn(language)}`
}

const SIGN_IN_COMMENT = `/** Development only: \`/dev/sign-in?user=ada\` makes you ada, and \`?user=admin\` an administrator. */`

function fetchSignIn(language: Language): string {
  return `${SIGN_IN_COMMENT}
export function devSignIn(request${typed(language, ': Request')})${typed(language, ': Response')} {
  const userId = new URL(request.url).searchParams.get('user') ?? ''
  if (!isDevelopment() || !/^[\\w.-]+$/.test(userId)) return new Response('Not found', { status: 404 })
  const cookie = \`dev-user=\${userId}; Path=/; HttpOnly; SameSite=Lax\`
  return new Response(null, { status: 303, headers: { location: '/credits', 'set-cookie': cookie } })
}
`
}

function expressSignIn(language: Language): string {
  return `${SIGN_IN_COMMENT}
export function devSignIn(request${typed(language, ': Request')}, response${typed(language, ': Response')})${typed(language, ': void')} {
  const userId = String(request.query.user)
  if (!isDevelopment() || !/^[\\w.-]+$/.test(userId)) {
    response.status(404).send('Not found')
    return
  }
  response.cookie('dev-user', userId, { httpOnly: true, sameSite: 'lax' }).redirect(303, '/credits')
}
`
}
