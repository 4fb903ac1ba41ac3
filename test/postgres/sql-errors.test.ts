import { describe, expect, it } from 'vitest'
import { CommitUnknown, RolledBack } from '../../adapters/postgres/sql-database.js'
import { sqlStateOf, toCreditError, translateSqlError, type SqlErrorKind } from '../../adapters/postgres/sql-errors.js'
import {
  InsufficientCreditsError,
  OutcomeUnknownError,
  StoreNotConfiguredError,
  UnavailableError,
} from '../../src/errors.js'

const SECRET = 'postgres://admin:s3cret@db'

/** As node-postgres, postgres.js and PGlite throw them: the code on the error, values in the text. */
function driverError(code: string, message = `insert into x values ('${SECRET}')`): Error {
  return Object.assign(new Error(message), { code, detail: SECRET, query: SECRET, parameters: [SECRET] })
}

/** As Drizzle throws them: SQL and parameters in the message, the driver's error behind it. */
function drizzleError(cause: unknown): Error {
  return new Error(`Failed query: select '${SECRET}'\nparams: ${SECRET}`, { cause })
}

describe('an error of the database', () => {
  it.each<[string, SqlErrorKind, boolean]>([
    ['40001', 'retry', false],
    ['40P01', 'retry', false],
    ['40003', 'other', true],
    ['23505', 'unique', false],
    ['23514', 'other', false],
    ['55P03', 'busy', false],
    ['42P01', 'missing-table', false],
    ['3F000', 'missing-table', false],
    ['42703', 'missing-table', false],
    ['42601', 'other', false],
    ['25P02', 'other', false],
    ['25006', 'unavailable', false],
    ['57014', 'unavailable', false],
    ['57P01', 'unavailable', true],
    ['57P02', 'unavailable', true],
    ['57P03', 'unavailable', false],
    ['08006', 'unavailable', true],
    ['08P01', 'unavailable', true],
    ['08001', 'unavailable', false],
    ['53300', 'unavailable', false],
    ['53100', 'unavailable', false],
    ['28P01', 'unavailable', false],
    ['3D000', 'unavailable', false],
    ['XX000', 'other', true],
  ])('%s is sorted as %s; it may have taken effect: %s', (sqlState, kind, mayHaveApplied) => {
    const meaning = { kind, sqlState, mayHaveApplied }
    expect(translateSqlError(driverError(sqlState))).toEqual(meaning)
    expect(translateSqlError(drizzleError(driverError(sqlState)))).toEqual(meaning)
    expect(translateSqlError(drizzleError(drizzleError(driverError(sqlState))))).toEqual(meaning)
  })

  it.each([
    ['ECONNREFUSED', false],
    ['ENOTFOUND', false],
    ['CONNECT_TIMEOUT', false],
    ['CONNECTION_ENDED', false],
    ['ECONNRESET', true],
    ['ETIMEDOUT', true],
    ['EPIPE', true],
    ['CONNECTION_CLOSED', true],
    ['CONNECTION_DESTROYED', true],
  ])('%s of the network is unavailable; a statement may have taken effect: %s', (code, mayHaveApplied) => {
    const meaning = { kind: 'unavailable', sqlState: undefined, mayHaveApplied }
    expect(translateSqlError(driverError(code))).toEqual(meaning)
    expect(translateSqlError(drizzleError(driverError(code)))).toEqual(meaning)
  })

  it.each([
    ['timeout exceeded when trying to connect', false],
    ['Connection terminated due to connection timeout', false],
    ['Cannot use a pool after calling end on the pool', false],
    ['Client has encountered a connection error and is not queryable', false],
    ['PGlite is closed', false],
    ['Connection terminated unexpectedly', true],
    ['Query read timeout', true],
  ])('“%s” without a code is unavailable; a statement may have taken effect: %s', (message, mayHaveApplied) => {
    const meaning = { kind: 'unavailable', sqlState: undefined, mayHaveApplied }
    expect(translateSqlError(new Error(message))).toEqual(meaning)
  })

  it('that is none is left alone', () => {
    const circular = new Error('a')
    circular.cause = circular
    for (const error of [new TypeError('x'), 'text', null, undefined, 7, circular]) {
      expect(translateSqlError(error)).toEqual({ kind: 'other', sqlState: undefined, mayHaveApplied: true })
    }
  })

  it("is not taken for a SQLSTATE when it is Node's", () => {
    expect(sqlStateOf(driverError('EPIPE'))).toBeUndefined()
    expect(sqlStateOf(driverError('P0001'))).toBe('P0001')
    expect(sqlStateOf(new RolledBack())).toBe('25P02')
  })
})

describe('the error a caller gets', () => {
  it('is the same one when it is ours already', () => {
    const error = new InsufficientCreditsError(10, 3)
    expect(toCreditError(error)).toBe(error)
  })

  it('says that the outcome is unknown after a COMMIT without an answer', () => {
    const error = new CommitUnknown({ cause: driverError('ECONNRESET') })
    expect(toCreditError(error)).toBeInstanceOf(OutcomeUnknownError)
    expect(translateSqlError(error)).toMatchObject({ kind: 'unavailable', mayHaveApplied: true })
  })

  it('tells to migrate when tables are missing', () => {
    const error = toCreditError(drizzleError(driverError('42P01')))
    expect(error).toBeInstanceOf(StoreNotConfiguredError)
    expect(error.message).toMatch(/creditkit tables are missing.*`await migrate\(\)`/)
  })

  it('tells to switch prepared statements off behind a pooler that loses them', () => {
    for (const code of ['26000', '42P05']) {
      const error = toCreditError(driverError(code))
      expect(error).toBeInstanceOf(StoreNotConfiguredError)
      expect(error.message).toContain('prepare: false')
    }
  })

  it.each(['40001', '40P01', '55P03', '57P01', '53300', '28P01', 'ECONNREFUSED', 'ECONNRESET', 'CONNECTION_CLOSED'])(
    'is Unavailable after %s',
    (code) => {
      expect(toCreditError(driverError(code))).toBeInstanceOf(UnavailableError)
    },
  )

  it('is a plain error with the SQLSTATE for a mistake nobody can wait out', () => {
    expect(toCreditError(driverError('23514')).message).toBe('Database error 23514')
    expect(toCreditError(new Error(SECRET)).message).toBe('Database error')
  })

  it('never shows SQL, parameters or secrets, and keeps the driver error as cause', () => {
    for (const code of [
      '23505',
      '23514',
      '42P01',
      '42601',
      '40001',
      '55P03',
      '57P01',
      'ECONNREFUSED',
      '26000',
      'odd',
    ]) {
      const cause = drizzleError(driverError(code))
      const error = toCreditError(cause)
      expect(error.message).not.toMatch(/s3cret|insert|select|Failed query/)
      expect(error.cause).toBe(cause)
    }
  })
})
