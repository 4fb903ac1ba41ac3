import { Client } from 'pg'
import { CreditService, ERROR_CODES, isCreditError } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditFeatures } from '../../src/credit-features.js'
import { Marketplace } from '../../src/marketplace.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { KINDS, type Kind } from './kinds.js'
import { MARKETPLACE_METHODS, type Method, SERVICE_METHODS } from './method-table.js'
import { openScene, type Scene } from './scene.js'

/*
 * Every public method, every field of it, every value that such a field must refuse: a named error of ours that tells nothing
 * of the inside, and nothing written.
 */

/** SQL, our tables, what a driver or JavaScript itself says. */
const LEAK =
  /select |insert |update .* set|user_credits|credit_transactions|postgres(ql)?:\/\/|syntax|\$\d|SQLSTATE|is not a function|cannot read|undefined \(/i

const ALL: Record<string, Method> = { ...SERVICE_METHODS, ...prefixed(MARKETPLACE_METHODS) }
const OWN_FORM = new Set(['withHold', 'addMany', 'deductMany'])

/** What takes nothing, or a request or an event that other tests are about. */
const WITHOUT_INPUT = ['close', 'transaction', 'handleWebhook']
const MARKETPLACE_WITHOUT_INPUT = ['getProducts', 'processEvent', 'provider']

// Libraries that other tests load into this process may have added to them.
const before = prototypeKeys()

describe('the table of methods', () => {
  const methodsOf = (...prototypes: object[]) =>
    prototypes.flatMap((each) => Object.getOwnPropertyNames(each)).filter((name) => name !== 'constructor')

  it('holds every public method there is', () => {
    const service = methodsOf(CreditService.prototype, CreditFeatures.prototype)
    expect([...Object.keys(SERVICE_METHODS), ...WITHOUT_INPUT].sort()).toEqual(service.sort())
    const marketplace = methodsOf(Marketplace.prototype)
    expect([...Object.keys(MARKETPLACE_METHODS), ...MARKETPLACE_WITHOUT_INPUT].sort()).toEqual(marketplace.sort())
  })

  it('holds every field of them', () => {
    const missing = Object.entries(ALL).flatMap(([name, { schema, fields }]) =>
      Object.keys(schema?.shape ?? {})
        .filter((field) => !(field in fields))
        .map((field) => `${name}.${field}`),
    )
    expect(missing).toEqual([])
  })
})

function prefixed(methods: Record<string, Method>): Record<string, Method> {
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [`marketplace.${name}`, method]))
}

let database: TestDatabase
let client: Client
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  client = new Client({ connectionString: database.url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await database.drop()
})

const STORES = {
  memory: { open: () => memoryStore(), rows: () => Promise.resolve(null) },
  postgres: { open: () => postgresStore(database.url), rows: () => countRows(client) },
}

describe.each(['memory', 'postgres'] as const)('on the store %s', (name) => {
  let scene: Scene
  beforeAll(async () => {
    scene = await openScene(STORES[name].open())
  })
  afterAll(async () => {
    await scene.credits.close()
    await scene.close()
  })

  /** How a call without types ends; null: refused as it should be. */
  async function outcomeOf(
    method: string,
    args: unknown[],
    told: (code: string) => string | null = () => null,
  ): Promise<string | null> {
    const [owner, own] = method.startsWith('marketplace.')
      ? [scene.credits.marketplace, method.slice('marketplace.'.length)]
      : [scene.credits, method]
    // A caller without types.
    const call = Reflect.get(owner, own) as (...given: unknown[]) => Promise<unknown>
    try {
      await call.apply(owner, args)
      return 'was accepted'
    } catch (error) {
      if (!isCreditError(error)) return String(error)
      if (ERROR_CODES[error.code].httpStatus >= 500) return `${error.code}: ${error.message}`
      if (error.message.length > 5000) return `a message of ${error.message.length} characters`
      return LEAK.test(error.message) ? error.message : told(error.code)
    }
  }

  /** As the method is called with one object. */
  function argumentsOf(method: string, { positional, isPositionalOnly }: Method, input: Record<string, unknown>) {
    if (isPositionalOnly === true) return (positional ?? []).map((field) => input[field])
    if (!OWN_FORM.has(method)) return [input]
    const { tx, ...item } = input
    return method === 'withHold' ? [input, () => 'done'] : [[item], 'tx' in input ? { tx } : {}]
  }

  async function footprint() {
    const { credits, userId } = scene
    return [
      await STORES[name].rows(),
      await credits.verify(),
      await credits.getAllBalances(userId),
      await credits.getTransactionHistory(userId, undefined, 200),
    ]
  }

  it.each(Object.entries(ALL))('%s refuses what its fields can not be, and writes nothing', async (method, spec) => {
    const before = await footprint()
    const sample = spec.sample(scene)
    const wrong: string[] = []
    for (const [field, kind] of Object.entries(spec.fields)) {
      for (const value of KINDS[kind]) {
        const outcome = await outcomeOf(method, argumentsOf(method, spec, { ...sample, [field]: value }))
        if (outcome !== null) wrong.push(`${field} = ${shown(value)}: ${outcome}`)
      }
    }
    if (spec.isPositionalOnly !== true) {
      for (const value of KINDS.whole) {
        const outcome = await outcomeOf(method, OWN_FORM.has(method) ? [value, () => 'done'] : [value])
        if (outcome !== null) wrong.push(`${shown(value)}: ${outcome}`)
      }
    }
    expect(wrong).toEqual([])
    expect(await footprint()).toEqual(before)
  })

  const positional = Object.entries(ALL).filter(([, spec]) => spec.positional && spec.isPositionalOnly !== true)

  it.each(positional)("%s refuses the same in the guide's positional form", async (method, spec) => {
    const names = spec.positional ?? []
    const before = await footprint()
    const sample = spec.sample(scene)
    const wrong: string[] = []
    for (const [index, field] of names.entries()) {
      for (const value of KINDS[spec.fields[field] as Kind]) {
        // One object alone is the other form.
        if (names.length === 1 && typeof value === 'object' && value !== null) continue
        const args = names.map((each, at) => (at === index ? value : sample[each]))
        const outcome = await outcomeOf(method, args)
        if (outcome !== null) wrong.push(`${field} = ${shown(value)}: ${outcome}`)
      }
    }
    expect(wrong).toEqual([])
    expect(await footprint()).toEqual(before)
  })

  it('a callback that is none is refused before anything is held or begun', async () => {
    const before = await footprint()
    for (const value of KINDS.callback) {
      expect(await outcomeOf('withHold', [SERVICE_METHODS.withHold?.sample(scene), value])).toBeNull()
      expect(await outcomeOf('transaction', [value])).toBeNull()
    }
    expect(await footprint()).toEqual(before)
  })

  it.each(['addMany', 'deductMany'])(
    'more than %s takes at once is refused before any is looked at',
    async (method) => {
      const items = Array.from({ length: 200_000 }, () => null)
      expect(await outcomeOf(method, [items])).toBeNull()
      expect(await outcomeOf(method, [[]])).toBeNull()
      for (const options of [null, 5, 'tx', []])
        expect(await outcomeOf(method, [[SERVICE_METHODS[method]?.sample(scene)], options])).toBeNull()
    },
  )

  it('would have done each of these calls, but for the one field', async () => {
    const last = ['anonymizeUser']
    const names = [...Object.keys(ALL).filter((method) => !last.includes(method)), ...last]
    const refused: Record<string, string> = {}
    for (const method of names) {
      const spec = ALL[method]
      if (spec === undefined) throw new Error(`there is no method ${method}`)
      const args = argumentsOf(method, spec, spec.sample(scene))
      const outcome = await outcomeOf(method, args, (code) => code)
      if (outcome !== 'was accepted') refused[method] = String(outcome)
    }
    expect(refused).toEqual({
      // The hold was captured before; nothing is in quarantine; nobody has subscribed.
      ...{ releaseHold: 'HOLD_NOT_OPEN', extendHold: 'HOLD_NOT_OPEN' },
      'marketplace.releaseQuarantine': 'QUARANTINE_NOT_FOUND',
      'marketplace.cancelSubscription': 'SUBSCRIPTION_NOT_FOUND',
    })
  })

  it('leaves the prototypes of everything as they were', () => {
    expect(prototypeKeys()).toEqual(before)
  })
})

function prototypeKeys(): string[] {
  return [Object, Array, String, Function].flatMap((type) => Reflect.ownKeys(type.prototype).map(String))
}

/** Of every table of ours. */
async function countRows(client: Client): Promise<unknown> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name
     from pg_tables where schemaname = 'creditkit' order by 1`,
  )
  const counts = rows.map(({ name }) => `select '${name}' as name, count(*) from ${name}`)
  return (await client.query(counts.join(' union all '))).rows
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value)
}
