const DAY_MS = 86_400_000

/** Signs and checks what each form carries, so that a form can only be sent by a page we showed to this user. */
export class FormTokens {
  readonly #key: Promise<CryptoKey>

  constructor(secret: string | Uint8Array<ArrayBuffer>) {
    const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
    this.#key = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
  }

  /** Good for today and tomorrow (UTC), and for this user. */
  async make(userId: string, now: Date): Promise<string> {
    const signature = await crypto.subtle.sign('HMAC', await this.#key, signed(userId, dayOf(now)))
    return Array.from(new Uint8Array(signature), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** Takes the same time whatever is wrong with it. */
  async isValid(token: string, userId: string, now: Date): Promise<boolean> {
    if (!/^[0-9a-f]{64}$/.test(token)) return false
    const signature = Uint8Array.from(token.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
    const key = await this.#key
    const today = dayOf(now)
    // Both are always asked: a form that was open at midnight is still good.
    const answers = await Promise.all(
      [today, today - 1].map((day) => crypto.subtle.verify('HMAC', key, signature, signed(userId, day))),
    )
    return answers.includes(true)
  }
}

function dayOf(now: Date): number {
  return Math.floor(now.getTime() / DAY_MS)
}

function signed(userId: string, day: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(['creditkit console', day, userId]))
}
