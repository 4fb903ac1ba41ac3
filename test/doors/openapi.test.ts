import { Validator } from '@seriousme/openapi-schema-validator'
import { CreditService, type DefaultCreditType } from 'creditkit'
import { createCreditsApi, type CreditsApi } from 'creditkit/api'
import { memoryStore } from 'creditkit/adapters/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inputSchema } from '../../src/api/json-schemas.js'
import { procedureTable } from '../../src/api/procedures.js'
import { type ProcedureName, ROUTES } from '../../src/api/routes.js'
import { ADMIN, BUYER, openShop, type Shop } from './call-samples.js'
import { answerValidator, type ValidateAnswer } from './answer-validator.js'
import { answerOf, callerOf, restRequest } from './rest-call.js'

const NAMES = Object.keys(ROUTES) as ProcedureName[]

let shop: Shop
let api: CreditsApi<DefaultCreditType>
let validate: ValidateAnswer
beforeAll(async () => {
  shop = await openShop()
  api = createCreditsApi(shop.credits, { authenticate: callerOf })
  validate = answerValidator(api.openapi)
})
afterAll(() => shop.close())

describe('the OpenAPI document', () => {
  it('is accepted by an independent validator, and says 3.1', async () => {
    const { openapi } = createCreditsApi(shop.credits)
    const validator = new Validator()
    expect(await validator.validate(structuredClone(openapi) as Record<string, unknown>)).toEqual({ valid: true })
    expect(validator.version).toBe('3.1')
  })

  it('is served, with no session, and names where it stands', async () => {
    const elsewhere = createCreditsApi(shop.credits, { basePath: '/v1/credits/' })
    const served = await answerOf(await elsewhere(new Request('https://shop.example/v1/credits/openapi.json')))
    expect(served.status).toBe(200)
    expect(served.body).toEqual(JSON.parse(JSON.stringify(elsewhere.openapi)))
    expect(served.body).toMatchObject({ servers: [{ url: '/v1/credits' }] })
  })

  it('has every procedure, once, under its own name', () => {
    const { paths } = createCreditsApi(shop.credits).openapi
    const operations = Object.values(paths).flatMap((path) =>
      Object.values(path as Record<string, { operationId: string }>),
    )
    const ids = operations.map(({ operationId }) => operationId)
    expect(ids.sort()).toEqual([...NAMES, 'handleWebhook'].sort())
    expect(new Set(Object.values(ROUTES).map((route) => route.replace(' keyed', ''))).size).toBe(NAMES.length)
  })

  it('describes every field of what callers send as something', () => {
    const vague = NAMES.flatMap((name) => {
      const { properties = {} } = inputSchema(procedureTable()[name].input)
      const isFree = (field: string) => field === 'metadata' || field === 'params'
      return Object.entries(properties)
        .filter(
          ([field, schema]) => !isFree(field) && !('type' in schema) && !('anyOf' in schema) && !('enum' in schema),
        )
        .map(([field]) => `${name}.${field}`)
    })
    expect(vague).toEqual([])
  })
})

describe('the table of routes', () => {
  it.each(NAMES)('of %s fits its procedure', (name) => {
    const [method, path = '', keyed] = ROUTES[name].split(' ')
    const { properties = {} } = inputSchema(procedureTable()[name].input)
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, field]) => field)
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(inPath))
    expect(keyed === 'keyed').toBe('idempotencyKey' in properties)
    // What is asked by GET changes nothing; `quote` has parameters of any shape, for a query string is no place.
    if (method === 'GET') expect(procedureTable()[name].kind).toBe('query')
  })
})

describe('answers', () => {
  it.each(NAMES)('of %s are what the document says, with no field beside', async (name) => {
    const isOwners = procedureTable()[name].role === 'user'
    const answer = await answerOf(await api(restRequest(name, shop.samples[name], isOwners ? BUYER : ADMIN)))
    expect(validate(name, answer)).toEqual([])
  })

  it('that are something else are noticed, so that the test above can fail', async () => {
    const answer = await answerOf(await api(restRequest('getBalances', {}, BUYER)))
    expect(validate('getBalances', { ...answer, body: { enrichment: { balance: 5 } } })).not.toEqual([])
    expect(validate('getBalance', answer)).not.toEqual([])
    const [transaction] = await shop.credits.getTransactionHistory(BUYER.userId, undefined, 1)
    const sent: unknown = JSON.parse(JSON.stringify(transaction))
    expect(validate('getTransaction', { ...answer, body: sent })).toEqual([])
    expect(validate('getTransaction', { ...answer, body: { ...(sent as object), digest: 'x' } })).not.toEqual([])
  })

  it('of one credit type need no name of it', async () => {
    const credits = new CreditService({ store: memoryStore(), creditTypes: ['tokens'] })
    await credits.addCredits({ userId: BUYER.userId, amount: 3, description: 'Gift' })
    const tokens = createCreditsApi(credits, { authenticate: callerOf })
    expect((await answerOf(await tokens(restRequest('getBalance', {}, BUYER)))).body).toBe(3)
    await credits.close()
  })
})
