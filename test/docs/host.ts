/** What any host has around the blocks of the pages. Types are given by import, so that nothing here is a value. */
export const HOST = `
import type { Request as ExpressRequest, Response as ExpressResponse } from 'express'
declare global {
  // The service, its store and till, and what they are made by.
  var credits: import('creditkit').CreditService
  var CreditService: typeof import('creditkit').CreditService
  var memoryStore: typeof import('creditkit/adapters/memory').memoryStore
  var stripePayments: typeof import('creditkit/adapters/stripe').stripePayments

  // Frameworks and the database. An app of whichever framework: any.
  var app: any, t: any
  var api: import('creditkit/api').CreditsApi<string>
  var request: Request
  var createServer: typeof import('node:http').createServer
  var initTRPC: typeof import('@trpc/server').initTRPC
  var db: import('drizzle-orm/node-postgres').NodePgDatabase
  var leads: import('drizzle-orm/pg-core').PgTableWithColumns<any>
  var users: any
  interface Context { user: { id: string; role: string } | null }

  // Who calls.
  function currentUser(request: ExpressRequest): string
  function sessionOf(request: Request): Promise<{ userId: string; isAdmin: boolean } | null>
  function readSession(cookie: string | null): Promise<{ userId: string; role: string } | null>
  function auth(): Promise<{ user: { id: string } } | null>
  function authenticate(request: Request): Promise<{ userId: string; isAdmin: boolean } | null>
  function findUser(id: string): Promise<{ stripeCustomerId: string }>
  function emailOf(userId: string): Promise<string>

  // What the app is about.
  function handler(request: ExpressRequest, response: ExpressResponse): void
  function yourOwnHandler(body: Buffer, signature: string | undefined): Promise<void>
  function makeCall(): Promise<number>
  function transcribe(url: string): Promise<{ text: string; minutes: number }>
  function enrich(input: unknown): Promise<string[]>
  function sendMail(userId: string, text: string): Promise<void>
  function sendMail(mail: { to: string; subject: string; text: string; html?: string; id?: string }): Promise<void>
  function track(userId: string, amount: number): void
  function report(...what: unknown[]): void
  function alert(what: unknown): void
  function waitUntil(work: Promise<unknown>): void
  var limiter: { take(key: string): Promise<boolean> }
  var userId: string, packageId: number, leadId: string, messageId: string, chatId: string
  var company: string, call: { id: string }, admin: { id: string }, use: { id: string }
  var job: { id: string; title: string }, jobs: (typeof job)[]
  var inThirtyDays: Date, startDate: Date, endDate: Date, lastMonth: Date, monthStart: Date, monthEnd: Date
}
export {}
`

/** Packages that hosts have, and we have not. */
export const PACKAGES = `
declare module '@ai-sdk/openai' {
  export function openai(id: string): InstanceType<typeof import('ai/test').MockLanguageModelV3>
}
declare module '@neondatabase/serverless' {
  export class Pool {
    constructor(config: { connectionString?: string | undefined; max?: number })
    query(...given: any[]): Promise<any>
    connect(): Promise<any>
    end(): Promise<void>
  }
}
declare module '@upstash/redis' {
  export class Redis {
    static fromEnv(): Redis
    get(key: string): Promise<unknown>
    eval(script: string, keys: string[], args: unknown[]): Promise<unknown>
  }
}
declare module 'next' {
  export interface NextConfig {
    serverExternalPackages?: string[]
  }
  export type NextApiRequest = import('node:http').IncomingMessage & { body: any; query: Record<string, string | string[]> }
  export type NextApiResponse = import('node:http').ServerResponse & {
    json(body: unknown): void
    redirect(status: number, url: string): void
  }
}
declare module 'next/server' {
  export function after(work: Promise<unknown> | (() => unknown)): void
}
`

const CREDITS = `
import { CreditService } from 'creditkit'
export const credits = new CreditService({ creditTypes: ['ai', 'calling', 'enrichment', 'scraping'] })
`

/** The host's own modules, on pages that do not show them. */
export const HOST_FILES: Readonly<Record<string, string>> = {
  'credits.ts': CREDITS,
  'lib/credits.ts': CREDITS,
  'api.ts': `
import { createCreditsApi } from 'creditkit/api'
import { credits } from './credits.js'
export const api = createCreditsApi(credits, {})
`,
}
