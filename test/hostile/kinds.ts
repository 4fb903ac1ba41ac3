import { randomUUID } from 'node:crypto'
import * as hostile from '../hostile-values.js'

const without = (values: readonly unknown[], ...allowed: unknown[]) =>
  values.filter((value) => !allowed.some((each) => Object.is(each, value)))

/** Ids and keys that no row of ours has; some are nearly one. */
const NO_ROW = [
  ...['', ' ', '1e3', '-1', '9223372036854775808', 'nul\0', '\ud800', '__proto__', '../x', '%2e%2e', "' or 1=1 --"],
  ...[randomUUID(), `{${randomUUID()}}`, `${randomUUID()} `, 'x'.repeat(1_000_000)],
]
const NO_TEXT = [5, null, undefined, {}, ['x'], true, () => 'x', 5n, Symbol('x')]
const NO_NUMBER = [NaN, Infinity, -Infinity, 1.5, 1e21, '5', {}, [5], true, 5n]
const NO_URL = [
  ...[
    'https://evil.example/',
    '//evil.example',
    'javascript:alert(1)',
    'https://good@evil.example',
    '\\\\evil.example',
  ],
  ...[
    'https://myapp.com.evil.example/',
    'data:text/html,x',
    '/\t/evil.example',
    `/${'x'.repeat(3000)}`,
    'nul\0',
    5,
    {},
  ],
]

/**
 * What each kind of field must refuse. `optional…`: may be left out; `nullish…`: may be null, too. A kind lists values that
 * are wrong for every field of it: refusing one by not finding it is a refusal like any other.
 */
export const KINDS = {
  user: hostile.BAD_USER_IDS,
  optionalUser: without(hostile.BAD_USER_IDS, undefined),
  amount: hostile.BAD_AMOUNTS,
  optionalAmount: without(hostile.BAD_AMOUNTS, undefined),
  signedAmount: without(hostile.BAD_AMOUNTS, -1),
  creditType: [...hostile.BAD_CREDIT_TYPES, 'x'.repeat(1_000_000)],
  optionalType: [...without(hostile.BAD_CREDIT_TYPES, undefined), 'x'.repeat(1_000_000)],
  description: hostile.BAD_DESCRIPTIONS,
  optionalDescription: without(hostile.BAD_DESCRIPTIONS, undefined),
  nullishDescription: without(hostile.BAD_DESCRIPTIONS, undefined, null),
  name: [...hostile.BAD_TEXTS, null, undefined],
  optionalName: [...hostile.BAD_TEXTS, null],
  nullishName: hostile.BAD_TEXTS,
  key: [...hostile.BAD_TEXTS, 'creditkit:internal', 'x'.repeat(1_000_000)],
  packageKey: [...hostile.BAD_TEXTS, 'x'.repeat(1_000_000)],
  configured: [...NO_ROW, ...NO_TEXT, 'constructor', 'toString'],
  metadata: hostile.badMetadata(),
  params: hostile.badMetadata(),
  date: [...hostile.BAD_DATES, null, undefined],
  nullishDate: hostile.BAD_DATES,
  optionalLimit: hostile.BAD_LIMITS,
  optionalOffset: hostile.BAD_OFFSETS,
  cursor: hostile.BAD_CURSORS,
  userCursor: hostile.BAD_TEXTS,
  rowCursor: [...NO_ROW.filter((id) => !/^[0-9a-f-]{36}$/.test(id)), 5, {}, [], true],
  row: [...NO_ROW, ...NO_TEXT],
  search: ['nul\0', '\ud800', 'x'.repeat(256), 5, null, {}, []],
  choice: ['', 'unknown', '__proto__', 'constructor', 'DEBT', 5, {}, [], true],
  boolean: ['true', 'yes', '', 0, 1, null, {}, []],
  seconds: [...NO_NUMBER, 0, -1, null, 31 * 86_400 + 1],
  optionalSeconds: [...NO_NUMBER, 0, -1, 31 * 86_400 + 1],
  milliseconds: [...NO_NUMBER, 0, -1, 1e9, null],
  count: [...NO_NUMBER, 0, -1, 1001, null],
  nullishCount: [...NO_NUMBER, 0, -1, 2 ** 53],
  threshold: [...NO_NUMBER, -1, null, undefined, 2 ** 53],
  smallInteger: [...NO_NUMBER, 2 ** 31, -(2 ** 31) - 1],
  price: [...NO_NUMBER, 0, -1, 100_000_000, null],
  packageId: [...NO_NUMBER, 0, -1, 2 ** 31, 2_147_483_647, null, undefined],
  minor: [...NO_NUMBER, -1],
  currencyCode: ['', 'us', 'usdd', 'USD', 'u$d', 5, {}],
  currency: ['', 'us', 'usdd', 'xxx_', 'bitcoin', 5, null],
  url: [...NO_URL, null],
  ui: ['', 'embedded', 'Page', 5, null, {}],
  callback: [null, undefined, 5, 'work', {}, []],
  optionalCallback: [null, 5, 'work', {}, []],
  tx: [null, 5, 'tx', {}, [], () => 1, { execute: 1 }],
  whole: [null, 5, 'text', [], () => ({}), true],
} satisfies Record<string, readonly unknown[]>

export type Kind = keyof typeof KINDS
