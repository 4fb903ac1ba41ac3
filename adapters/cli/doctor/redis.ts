import { connect, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { type Check, failed, look, messageOf, ok, skipped } from './check.js'

const TIMEOUT_MS = 3_000

/** Does the Redis that `REDIS_URL` names answer? Balances are right without it: then every one is read from the database. */
export function checkRedis(url: string | undefined): Promise<Check> {
  return look('redis', async () => {
    if (url === undefined || url === '') return skipped('REDIS_URL is not set')
    if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol))
      return failed('REDIS_URL is no redis:// or rediss:// URL', 'write it as redis://user:password@host:6379')
    const started = Date.now()
    let answer: string
    try {
      answer = await ping(new URL(url))
    } catch (error) {
      return failed(
        messageOf(error),
        'start it, or put REDIS_URL right; until then every balance comes from the database',
      )
    }
    return answer.startsWith('+PONG')
      ? ok(`answers in ${Date.now() - started} ms`)
      : failed(`refuses to work: ${answer.replace(/^-/, '')}`, 'put user and password of REDIS_URL right')
  })
}

/** Redis reads commands as plain lines, too; no client is needed for one. The last line it answers. */
function ping(url: URL): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port === '' ? 6379 : url.port)
  const parts = ['AUTH', decodeURIComponent(url.username), decodeURIComponent(url.password)].filter(
    (part) => part !== '',
  )
  const commands = url.password === '' ? [['PING']] : [parts, ['PING']]
  return new Promise((resolve, reject) => {
    const socket: Socket =
      url.protocol === 'rediss:' ? connectSecurely({ host, port, servername: host }) : connect({ host, port })
    let answer = ''
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('it ended the connection without an answer')))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
      const lines = answer.split('\r\n').slice(0, -1)
      const refusal = lines.find((line) => line.startsWith('-'))
      if (refusal === undefined && lines.length < commands.length) return
      resolve(refusal ?? lines.at(-1) ?? '')
      socket.destroy()
    })
    socket.write(commands.map(written).join(''))
  })
}

/** As its protocol writes a command, so that a password may hold anything. */
function written(command: readonly string[]): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
  return `*${command.length}\r\n${parts.join('')}`
}
