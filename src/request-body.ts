/** So long may a request take to bring its body, in milliseconds: what we accept fits into it many times. */
export const BODY_TIMEOUT_MS = 10_000

export interface BodyLimits {
  maxBytes: number
  timeoutMs: number
}

const MAX_TIMEOUT_MS = 3_600_000

/** What a host set, checked. `owner`: the function whose options they are. Throws a plain `Error` that names the option. */
export function checkedBodyLimits(
  owner: string,
  { maxBodyBytes, bodyTimeoutMs = BODY_TIMEOUT_MS }: { maxBodyBytes: number; bodyTimeoutMs?: number | undefined },
): BodyLimits {
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1)
    throw new Error(`${owner}: maxBodyBytes must be a positive number of bytes`)
  // Timers take nothing that is longer than a month for at once.
  if (!(bodyTimeoutMs >= 1 && bodyTimeoutMs <= MAX_TIMEOUT_MS))
    throw new Error(`${owner}: bodyTimeoutMs must be between 1 and ${MAX_TIMEOUT_MS} milliseconds`)
  return { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs }
}

/** Why a body was not read to its end. */
export type Unread = 'too large' | 'too slow'

/**
 * The bytes of a body, read no further than `maxBytes` and no longer than `timeoutMs`: neither a sender that never ends nor
 * one that falls silent holds memory, or the request. The rest is never asked for. Throws what breaks the stream.
 */
export async function readBytes(
  request: Request,
  { maxBytes, timeoutMs }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer> | Unread> {
  // Only a hint, it may be missing or wrong: the bytes are counted.
  if (Number(request.headers.get('content-length')) > maxBytes) return 'too large'
  const reader = request.body?.getReader()
  if (reader === undefined) return new Uint8Array()
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooSlow = new Promise<Unread>((resolve) => {
    timer = setTimeout(() => resolve('too slow'), timeoutMs)
  })
  try {
    const read = await Promise.race([readAll(reader, maxBytes), tooSlow])
    // The answer is the same whether or not the sender takes notice.
    if (typeof read === 'string') reader.cancel().catch(() => undefined)
    return read
  } finally {
    clearTimeout(timer)
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | Unread> {
  const chunks: Uint8Array[] = []
  let length = 0
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.byteLength
    if (length > maxBytes) return 'too large'
    chunks.push(part.value)
  }
  return concatenated(chunks, length)
}

function concatenated(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
