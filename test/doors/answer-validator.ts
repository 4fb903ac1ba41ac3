import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { OpenApiDocument, ProcedureName } from 'creditkit/api'
import { ROUTES } from '../../src/api/routes.js'
import type { RestAnswer } from './rest-call.js'

/** What is wrong with an answer, by the document alone; nothing: []. */
export type ValidateAnswer = (name: ProcedureName, answer: RestAnswer) => string[]

/** Checks answers against an OpenAPI document with an independent validator of JSON schemas. */
export function answerValidator(openapi: OpenApiDocument): ValidateAnswer {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  // A default export of CommonJS: the function itself, or an object that holds it.
  const add = (typeof addFormats === 'function' ? addFormats : (addFormats as { default: unknown }).default) as (
    to: Ajv2020,
  ) => void
  add(ajv)
  ajv.addSchema(openapi, 'openapi')
  return (name, { status, body, headers }) => {
    const [method = '', path = ''] = ROUTES[name].split(' ')
    const type = headers.get('content-type')
    const pointer =
      status === 200
        ? `/paths/${path.replaceAll('/', '~1')}/${method.toLowerCase()}/responses/200/content/application~1json/schema`
        : '/components/responses/Problem/content/application~1problem+json/schema'
    const wanted = status === 200 ? 'application/json' : 'application/problem+json'
    const problems = type === wanted ? [] : [`content-type is ${String(type)}`]
    const validate = ajv.getSchema(`openapi#${encodeURI(pointer).replaceAll('%7B', '{').replaceAll('%7D', '}')}`)
    if (validate === undefined) return [...problems, `no schema at ${pointer}`]
    if (validate(body) === true) return problems
    return [
      ...problems,
      ...(validate.errors ?? []).map(({ instancePath, message, params }) =>
        [instancePath, message, JSON.stringify(params)].join(' '),
      ),
    ]
  }
}
