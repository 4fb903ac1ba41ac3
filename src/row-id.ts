import { v7 as uuidv7 } from 'uuid'

/** Bytes of randomness that are fetched at once: a call for each id takes longer than everything else about it. */
const pool = new Uint8Array(4096)
let used = pool.length

/** The last id's place in time: its millisecond, and its number there. */
const last = { msecs: 0, seq: 0 }

/** Makes a new row id: UUIDv7, in order within this process, never decided on. */
export function newRowId(): string {
  const random = sixteenBytes()
  const now = Date.now()
  if (now > last.msecs) {
    last.msecs = now
    // Half of the numbers are left for the ids of the same millisecond.
    last.seq = new DataView(random.buffer).getUint32(0) >>> 1
  } else {
    last.seq += 1
  }
  return uuidv7({ ...last, random })
}

function sixteenBytes(): Uint8Array {
  if (used + 16 > pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  const bytes = pool.slice(used, used + 16)
  used += 16
  return bytes
}
