import fc from 'fast-check'
import type { DefaultCreditType } from 'creditkit'
import { type Caller, createCreditsApi, type CreditsApi } from 'creditkit/api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inputSchema } from '../../src/api/json-schemas.js'
import { procedureTable } from '../../src/api/procedures.js'
import { type ProcedureName, ROUTES } from '../../src/api/routes.js'
import { SETTINGS } from '../ledger/random-histories.js'
import { answerValidator, type ValidateAnswer } from './answer-validator.js'
import { ADMIN, BUYER, openShop, OTHER, type Shop } from './call-samples.js'
import { inputsOf } from './hostile-requests.js'
import { answerOf, callerOf, restRequest } from './rest-call.js'

/*
 * Every route of the document, with inputs made from it: whatever comes, nothing breaks inside, no answer is another than
 * the document says, and none tells more than it should.
 */

const NAMES = Object.keys(ROUTES) as ProcedureName[]

/** Words of the inside, which no answer may contain unless the request did. */
const INSIDE = [
  /\bat .+:\d+:\d+/,
  /node_modules/,
  /\bselect\b.*\bfrom\b/i,
  /sk_test_/,
  /whsec_/,
  /TypeError|RangeError/,
]

let shop: Shop
let validate: ValidateAnswer
const broken: unknown[] = []
let api: CreditsApi<DefaultCreditType>
let known: unknown[]

beforeAll(async () => {
  shop = await openShop()
  api = createCreditsApi(shop.credits, { authenticate: callerOf, onError: (error) => broken.push(error) })
  validate = answerValidator(api.openapi)
  const ids = Object.values(shop.samples).flatMap((sample) => Object.values(sample))
  known = ['enrichment', 'calling', ...new Set(ids.filter((value) => typeof value === 'string'))]
})
afterAll(() => shop.close())

describe('whatever a request holds', () => {
  // In CI 20 for each of sixty routes.
  const numRuns = Math.ceil(SETTINGS.numRuns / 5)

  it.each(NAMES)(
    '%s answers by the document, and tells nothing of the inside',
    { timeout: 60_000 + numRuns * 200 },
    async (name) => {
      const schema = inputSchema(procedureTable()[name].input)
      const { role } = procedureTable()[name]
      const sample = shop.samples[name]
      const calls = fc.tuple(inputsOf(schema, sample, known), fc.constantFrom(null, BUYER, OTHER, ADMIN, ADMIN))
      const examples: [[Record<string, unknown>, Caller | null]][] = [
        [[sample, null]],
        [[sample, role === 'admin' ? ADMIN : BUYER]],
      ]
      const seen = new Set<number>()
      await fc.assert(
        fc.asyncProperty(calls, async ([input, caller]) => {
          broken.length = 0
          const answer = await answerOf(await api(restRequest(name, input, caller)))
          seen.add(answer.status)
          expect(broken).toEqual([])
          expect(answer.status).not.toBe(500)
          expect(validate(name, answer)).toEqual([])
          const text = JSON.stringify(answer.body ?? '')
          const sent = JSON.stringify(input)
          for (const word of INSIDE) if (!word.test(sent)) expect(text).not.toMatch(word)
        }),
        { seed: SETTINGS.seed, numRuns, examples },
      )
      // The requests really came through as well as being refused.
      expect([...seen].some((status) => status === 200)).toBe(!UNREACHED.has(name))
      if (role !== 'public') expect(seen.has(401)).toBe(true)
    },
  )

  it('leaves the books in order', async () => {
    expect((await shop.credits.verify()).violations).toEqual([])
  })
})

/** There is nothing in quarantine. */
const UNREACHED = new Set<ProcedureName>(['releaseQuarantine'])
