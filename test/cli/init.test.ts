import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { VERSIONS } from '../../adapters/cli/init/packages.js'
import { commandLine, json, testFolder } from './command-line.js'
import { inEnvironment } from './environment.js'
import { problemsOf, root } from './generated-code.js'

/** A project's folder, with these files. */
function project(manifest: object = {}, files: Record<string, string> = {}) {
  const cwd = testFolder()
  for (const [path, text] of Object.entries({ 'package.json': JSON.stringify(manifest), ...files })) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true })
    writeFileSync(join(cwd, path), text)
  }
  return { ...commandLine(undefined, cwd), read: (path: string) => readFileSync(join(cwd, path), 'utf8') }
}

const FRAMEWORKS = ['express', 'next', 'hono', 'node'] as const
const DATABASES = ['postgres', 'drizzle', 'pglite'] as const
const VARIANTS = FRAMEWORKS.flatMap((framework) => DATABASES.map((database) => ({ framework, database })))

describe('creditkit init', () => {
  it('says which flags to pass where nobody can answer, and writes nothing', async () => {
    const { creditkit, cwd } = project()
    expect(await creditkit('init')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--framework express|next|hono|node, or --yes for node') as string,
    })
    expect(await creditkit('init', '--framework', 'hono')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--database postgres|drizzle|pglite, or --yes for pglite') as string,
    })
    expect((await creditkit('init', '--framework', 'koa', '--yes')).code).toBe(2)
    expect(readdirSync(cwd)).toEqual(['package.json'])
  })

  it('wants a project to write into', async () => {
    const { creditkit, cwd } = commandLine()
    expect(await creditkit('init', '--yes')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('npm init -y') as string,
    })
    expect(readdirSync(cwd)).toEqual([])
  })

  it('asks for what it can not see, again when the answer is none, and suggests what package.json names', async () => {
    const { typing, cwd } = project({ dependencies: { express: '^5.0.0' } })
    const asked = await typing(['', 'oracle', 'Postgres'], 'init')
    expect(asked.code).toBe(0)
    expect(asked.stderr).toContain('express, next, hono, node [express] ')
    expect(asked.stderr).toContain('There is no oracle.')
    expect(asked.stdout).toContain('npm install creditkit stripe@23 pg@8 drizzle-orm@0.45\n')
    expect(asked.stdout).toContain('npx creditkit migrate')
    expect(readFileSync(join(cwd, 'credits-routes.mjs'), 'utf8')).toContain(`from 'creditkit/adapters/express'`)
    expect(existsSync(join(cwd, '.env'))).toBe(false)
  })

  it.each([
    [{ dependencies: { next: '16.0.0', express: '5.0.0' } }, {}, 'next', 'pglite'],
    [{ devDependencies: { hono: '4.0.0', pg: '8.0.0' } }, {}, 'hono', 'postgres'],
    [{}, { 'drizzle.config.ts': `export default { dialect: 'postgresql' }` }, 'node', 'drizzle'],
    [{}, { 'drizzle.config.ts': `export default { dialect: 'sqlite' }` }, 'node', 'pglite'],
  ])('tells from the project %j %j: %s on %s', async (manifest, files, framework, database) => {
    const { creditkit } = project(manifest, files)
    expect(json(await creditkit('init', '--yes', '--json'))).toMatchObject({ framework, database, left: [] })
  })

  it('leaves what is there as it is, and says what to paste', async () => {
    const own = { 'server.mjs': 'serveMyApp()\n', 'credits.mjs': 'export const credits = mine()\n' }
    const { creditkit, read } = project({ packageManager: 'npm@11.0.0' }, own)
    const { code, stdout } = await creditkit('init', '--framework', 'hono', '--database', 'pglite')
    expect(code).toBe(0)
    expect([read('server.mjs'), read('credits.mjs')]).toEqual(Object.values(own))
    expect(stdout).toContain('server.mjs is there already, and was left as it is. Add to it:\n')
    expect(stdout).toContain(`    app.route('/', creditRoutes)\n`)
    expect(stdout).toContain('credits.mjs is there already, and was left as it is. It should hold what this does:\n')
    expect(stdout).toContain('    export async function offerPackages() {\n')
    const again = await creditkit('init', '--framework', 'hono', '--database', 'pglite')
    expect(again.stdout).not.toContain('Wrote')
    expect(again.stdout).toContain(
      'as we would write it: credits-caller.mjs, credits-routes.mjs, dev.mjs, .env.example',
    )
  })

  it('puts its files where the sources are, and beside the service that is there', async () => {
    const typescript = { type: 'module', devDependencies: { typescript: '6.0.0' } }
    const inSources = project(typescript, { 'src/index.ts': '' })
    expect(json(await inSources.creditkit('init', '--yes', '--json', '--framework', 'express'))).toMatchObject({
      written: [
        'src/credits.ts',
        'src/credits-caller.ts',
        'src/credits-routes.ts',
        'src/server.ts',
        'src/dev.ts',
        '.env.example',
      ],
      dev: 'npx tsx src/dev.ts',
    })
    const beside = project({ type: 'module' }, { 'lib/credits.js': '' })
    expect(json(await beside.creditkit('init', '--yes', '--json', '--framework', 'node'))).toMatchObject({
      left: ['lib/credits.js'],
      written: ['lib/credits-caller.js', 'lib/credits-routes.js', 'server.js', 'dev.js', '.env.example'],
    })
    expect(beside.read('server.js')).toContain(`from './lib/credits.js'`)
    const next = project({ dependencies: { next: '16.0.0' } }, { 'src/app/page.jsx': '', 'next.config.mjs': '' })
    const { stdout } = await next.creditkit('init', '--yes')
    expect(stdout).toContain(`    serverExternalPackages: ['creditkit', '@electric-sql/pglite'],\n`)
    expect(next.read('src/app/api/webhooks/stripe/route.js')).toContain(`from '../../../../lib/credits'`)
    expect(next.read('src/lib/credits.js')).toContain('new CreditService(')
  })

  it('says what of package.json is in the way of Next', async () => {
    const steps = async (type: string, framework: string) => {
      const { creditkit } = project({ type })
      return (json(await creditkit('init', '--yes', '--json', '--framework', framework)) as { steps: string[] }).steps
    }
    expect(await steps('commonjs', 'next')).toEqual([expect.stringMatching(/^npm pkg delete type /)])
    expect([await steps('module', 'next'), await steps('commonjs', 'hono')]).toEqual([[], []])
  })

  it('installs with the package manager whose lock file is there', async () => {
    const { creditkit } = project({ devDependencies: { typescript: '6.0.0' } }, { 'pnpm-lock.yaml': '' })
    expect(json(await creditkit('init', '--yes', '--json', '--framework', 'hono'))).toMatchObject({
      install: [
        'pnpm add creditkit stripe@23 hono@4 @hono/node-server@2 @electric-sql/pglite@0.5',
        'pnpm add -D @types/node@20 tsx@4',
      ],
    })
  })

  it('names versions that we are tested with', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>
    }
    const others = Object.entries(VERSIONS)
      .filter(([name]) => name in devDependencies)
      .filter(([name, version]) => !devDependencies[name]?.replace('^', '').startsWith(`${version.slice(1)}.`))
    expect(others).toEqual([])
    expect(Object.keys(VERSIONS).filter((name) => name in devDependencies).length).toBeGreaterThan(10)
  })
})

describe('what init writes', () => {
  /** The files of every variant, by their paths below a folder of their own. */
  async function everyVariant(manifest: object): Promise<Record<string, string>> {
    const files: Record<string, string> = {}
    for (const { framework, database } of VARIANTS) {
      const { creditkit, read } = project(manifest)
      const answer = await creditkit('init', '--framework', framework, '--database', database, '--json')
      const { written } = json(answer) as { written: string[] }
      for (const path of written) files[`${framework}-${database}/${path}`] = read(path)
    }
    return files
  }

  it('compiles in TypeScript, strictly, whatever was chosen', { timeout: 120_000 }, async () => {
    const files = await everyVariant({ type: 'module', devDependencies: { typescript: '6.0.0' } })
    expect(Object.keys(files).filter((path) => path.endsWith('.ts')).length).toBeGreaterThan(60)
    expect(problemsOf('ts', files)).toEqual([])
  })

  it('compiles in JavaScript as well, and would not with a mistake in it', { timeout: 120_000 }, async () => {
    const files = await everyVariant({})
    expect(Object.keys(files).filter((path) => path.endsWith('js')).length).toBeGreaterThan(60)
    const wrong = files['hono-pglite/credits.mjs']?.replace('upsertPackage', 'upsertPackages') ?? ''
    expect(problemsOf('js', { ...files, 'wrong/credits.mjs': wrong })).toEqual([
      expect.stringMatching(/^wrong\/credits\.mjs: Property 'upsertPackages' does not exist/),
    ])
  })

  it('is formatted as people format', async () => {
    const { check } = await import('prettier')
    const files = { ...(await everyVariant({})), ...(await everyVariant({ devDependencies: { typescript: '6.0.0' } })) }
    const style = JSON.parse(readFileSync(join(root, '.prettierrc.json'), 'utf8')) as object
    const code = Object.entries(files).filter(([path]) => /s$/.test(path))
    const isWell = await Promise.all(code.map(([filepath, text]) => check(text, { ...style, filepath })))
    expect(code.filter((_, index) => isWell[index] !== true).map(([path]) => path)).toEqual([])
  })

  /** The exports of a generated caller file. */
  async function caller(framework: string) {
    const { creditkit, cwd } = project()
    await creditkit('init', '--yes', '--framework', framework)
    return (await import(/* @vite-ignore */ pathToFileURL(join(cwd, 'credits-caller.mjs')).href)) as {
      callerOf: (request: unknown) => Promise<unknown>
      devSignIn: (request: Request) => Response
    }
  }

  const asked = (name: string) =>
    new Request('http://localhost/', { headers: { cookie: `theme=dark; dev-user=${name}` } })
  const toExpress = (request: Request) => ({ get: (name: string) => request.headers.get(name) ?? undefined })

  it.each([
    { CREDITS_DEV: undefined, NODE_ENV: undefined },
    { CREDITS_DEV: undefined, NODE_ENV: 'development' },
    { CREDITS_DEV: 'no', NODE_ENV: 'test' },
    { CREDITS_DEV: 'yes', NODE_ENV: 'production' },
  ])('lets nobody in where it runs with %j', async (environment) => {
    onTestFinished(inEnvironment(environment))
    const { callerOf, devSignIn } = await caller('hono')
    expect(await callerOf(asked('admin'))).toBeNull()
    expect(devSignIn(new Request('http://localhost/dev/sign-in?user=ada')).status).toBe(404)
    const express = await caller('express')
    expect(await express.callerOf(toExpress(asked('admin')))).toBeNull()
  })

  it('believes a cookie where the development script says so, and names nobody on its own', async () => {
    onTestFinished(inEnvironment({ CREDITS_DEV: 'yes', NODE_ENV: undefined }))
    const { callerOf, devSignIn } = await caller('node')
    expect(await callerOf(new Request('http://localhost/'))).toBeNull()
    expect(await callerOf(asked('ada'))).toEqual({ userId: 'ada', isAdmin: false })
    expect(await callerOf(asked('admin'))).toEqual({ userId: 'admin', isAdmin: true })
    expect(await (await caller('express')).callerOf(toExpress(asked('ada')))).toEqual({ userId: 'ada', isAdmin: false })
    const { status, headers } = devSignIn(new Request('http://localhost/dev/sign-in?user=ada'))
    expect([status, headers.get('set-cookie')]).toEqual([303, 'dev-user=ada; Path=/; HttpOnly; SameSite=Lax'])
    expect(devSignIn(new Request('http://localhost/dev/sign-in?user=a%0d%0ab')).status).toBe(404)
  })
})
