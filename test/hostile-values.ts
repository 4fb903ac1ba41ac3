/** Values that callers without types have been seen to send. Numbers after reliability 3.6. */

/** B01, B02: no amounts. */
export const BAD_AMOUNTS: unknown[] = [
  ...[0, -1, -0, 1.5, NaN, Infinity, -Infinity, 2 ** 53, 1e21, Number.MIN_VALUE],
  ...['5', '5; drop table user_credits', '', null, undefined, {}, [3], true, 5n, { valueOf: () => 5 }, Symbol('5')],
]

/** B04: no user ids. */
export const BAD_USER_IDS: unknown[] = [
  ...['', ' ', '\t\n', 'x'.repeat(256), 'x'.repeat(1_000_000), 'nul\0', '\ud800', 'a\udc00b'],
  ...[-1, 1.5, NaN, Infinity, 2 ** 53, null, undefined, true, {}, ['ann'], () => 'ann', 5n],
]

/** B05: no credit types that are configured. */
export const BAD_CREDIT_TYPES: unknown[] = [
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'unknown', 'Calling', 'calling ', ' calling'],
  ...['legacy', 'calling\0', null, undefined, 0, {}, ['calling']],
]

/** B08, B10, B11: no keys, references or actors. */
export const BAD_TEXTS: unknown[] = ['', '   ', 'x'.repeat(256), 'nul\0', '\ud800', 5, {}, ['k'], true]

/** B08, B10: no descriptions. */
export const BAD_DESCRIPTIONS: unknown[] = [
  ...['x'.repeat(2001), 'x'.repeat(1_000_000), 'nul\0', '\ud800', 'a\udc00b'],
  ...[null, undefined, 5, {}, ['text']],
]

class Instance {
  a = 1
}

class HostileArray extends Array<unknown> {
  toJSON(): never {
    throw new Error('toJSON was called')
  }
}

/** B06: no plain JSON. */
export function badMetadata(): unknown[] {
  const circular: Record<string, unknown> = {}
  circular.self = { circular }
  let deep: unknown = 1
  for (let depth = 0; depth < 10_000; depth++) deep = { deep }
  const throwing = {
    toJSON() {
      throw new Error('toJSON was called')
    },
  }
  const getter = {
    get a(): never {
      throw new Error('the getter was called')
    },
  }
  const listed = [1, 2]
  Object.defineProperty(listed, 'toJSON', { value: () => 'changed', enumerable: false })
  return [
    ...[circular, deep, throwing, getter, new HostileArray(1)],
    ...[
      { a: 1n },
      { a: () => 1 },
      { a: new Date() },
      { a: new Map() },
      { a: Symbol('a') },
      { a: NaN },
      { a: Infinity },
    ],
    ...[{ a: 'nul\0' }, { 'nul\0': 1 }, { a: '\ud800' }, { '\ud800': 1 }, { a: [undefined] }, { a: new Instance() }],
    ...[{ a: 'x'.repeat(10_000_000) }, { a: 'x'.repeat(16_380) }, new Instance(), new Map(), new Date()],
    ...[[1], 'text', 5, true, { a: listed }, { a: new HostileArray(1) }],
  ]
}

/** T08, B13: no moments. */
export const BAD_DATES: unknown[] = [
  ...['yesterday', '2026-01-01', 1_767_225_600_000, {}, true],
  ...[new Date(NaN), new Date(8.64e15), new Date(-62_198_755_200_000), new Date('9999-12-31T23:59:59.999Z').valueOf()],
]

/** B12: no page sizes, no offsets. */
export const BAD_LIMITS: unknown[] = [-1, 0, 201, 1e9, NaN, '10', 1.5, null, {}]
export const BAD_OFFSETS: unknown[] = [-1, 0.5, NaN, Infinity, 2 ** 53, '0', null, {}]

/** Cursors that are none of ours, some of them nearly. */
export const BAD_CURSORS: unknown[] = [
  ...['', 'x', '%', btoa('[]'), btoa('{}'), btoa('null'), btoa('[1,2]'), btoa('["calling",1]'), 5, {}],
  ...[
    btoa('[["calling",9007199254740993]]'),
    btoa('[["\\u0000",1]]'),
    btoa('[["calling",1.5]]'),
    btoa('[["calling",0]]'),
  ],
  ...[btoa('[["\\ud800",1]]'), btoa(`[["${'x'.repeat(300)}",1]]`), btoa('[["calling",1,1]]'), 'x'.repeat(30_000)],
]
