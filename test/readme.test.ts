import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(`${root}README.md`, 'utf8')
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? '')

/** What the README's host has around the snippets. */
const HOST = `
import type { Request as ExpressRequest, Response as ExpressResponse } from 'express'
declare global {
  var credits: import('creditkit').CreditService
  var app: any, t: any, users: any, company: any, leadId: string, call: any, admin: any, inThirtyDays: Date, startDate: Date, endDate: Date
  var lastMonth: Date, monthStart: Date, monthEnd: Date, use: { id: string }
  var request: Request, userId: string, packageId: number
  var job: { id: string; title: string }, jobs: (typeof job)[]
  function makeCall(): Promise<number>
  function sendMail(userId: string, text: string): Promise<void>
  function track(userId: string, amount: number): void
  function waitUntil(work: Promise<unknown>): void
  var leads: import('drizzle-orm/pg-core').PgTableWithColumns<any>
  var db: import('drizzle-orm/node-postgres').NodePgDatabase
  var createServer: typeof import('node:http').createServer
  var initTRPC: typeof import('@trpc/server').initTRPC
  var memoryStore: typeof import('creditkit/adapters/memory').memoryStore
  var stripePayments: typeof import('creditkit/adapters/stripe').stripePayments
  var CreditService: typeof import('creditkit').CreditService
  interface Context { user: { id: string; role: string } | null }
  function currentUser(request: ExpressRequest): string
  function sessionOf(request: Request): Promise<{ userId: string; isAdmin: boolean } | null>
  function handler(request: ExpressRequest, response: ExpressResponse): void
  function findUser(id: string): Promise<{ stripeCustomerId: string }>
}
export {}
`

/** Split a block at its imports of different frameworks, so that each part stands for itself. */
function parts(block: string): string[] {
  const sections = block.split(/\n(?=\/\/ [A-Z])/)
  return sections.length > 3 ? sections : [block]
}

describe('the README', () => {
  it('shows only code that compiles', { timeout: 120_000 }, () => {
    const sources = new Map([[`${root}test/readme-host.ts`, HOST]])
    blocks
      .flatMap(parts)
      .forEach((code, index) => sources.set(`${root}test/readme-${index}.ts`, `${code}\nexport {}\n`))
    const config = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path))
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    const host = ts.createCompilerHost({ ...options, noUnusedLocals: false })
    const disk = ts.createCompilerHost(options)
    host.fileExists = (path) => sources.has(path) || disk.fileExists(path)
    host.getSourceFile = (path, target, ...rest) => {
      const code = sources.get(path)
      return code === undefined ? disk.getSourceFile(path, target, ...rest) : ts.createSourceFile(path, code, target)
    }
    const program = ts.createProgram(
      [...sources.keys()],
      { ...options, noUnusedLocals: false, noUnusedParameters: false },
      host,
    )
    const problems = [...sources.keys()].flatMap((path) => {
      const file = program.getSourceFile(path)
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ messageText, start }) =>
          `${sources.get(path)?.slice(start, (start ?? 0) + 60)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      )
    })
    expect(blocks.length).toBeGreaterThan(5)
    expect(problems).toEqual([])
  })

  it('lists every error code', () => {
    const codes = readFileSync(`${root}src/errors.ts`, 'utf8').matchAll(/^ {2}([A-Z_]+): \{ httpStatus/gm)
    for (const [, code] of codes) expect(readme, code).toContain(`\`${code ?? ''}\``)
  })
})
