import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseEnv } from 'node:util'
import type { CreditService } from '../../src/credit-service.js'
import { isCreditError } from '../../src/errors.js'
import type { UserIdType } from '../../src/ports/store.js'
import { environmentService, namesStore } from './environment-service.js'
import { WrongUsage } from './failure.js'
import type { Terminal } from './terminal.js'

/** The host's own service: its credit types are texts here, and it knows which there are. */
export type HostService = CreditService<string>

const FOLDERS = ['', 'src', 'lib', 'src/lib']
const EXTENSIONS = ['ts', 'mts', 'js', 'mjs']

/** Where hosts keep their service, in the order in which we look. The first is for those whose file has another name. */
const SERVICE_FILES: readonly string[] = [
  ...EXTENSIONS.map((extension) => `creditkit.config.${extension}`),
  ...FOLDERS.flatMap((folder) => EXTENSIONS.map((extension) => join(folder, `credits.${extension}`))),
]

/** The file with the host's service; null: there is none. */
export function findServiceFile(cwd: string): string | null {
  return SERVICE_FILES.map((file) => resolve(cwd, file)).find((path) => existsSync(path)) ?? null
}

/**
 * Let `work` use the host's own service, and close it. Of a host's file that is TypeScript nothing needs to be built: it is
 * loaded as it stands, with the paths its tsconfig.json names, after `.env.local` and `.env` have been read. Without a file
 * the environment decides.
 *
 * @throws {WrongUsage} There is no such file, or it exports no service; or nothing says where the credits are.
 */
export async function withService<R>(
  terminal: Terminal,
  config: string | undefined,
  work: (credits: HostService) => Promise<R>,
): Promise<R> {
  const credits = await loadService(terminal, config)
  try {
    return await work(credits)
  } finally {
    await credits.close()
  }
}

/** {@link withService} for those who close it themselves. */
export async function loadService({ cwd }: Terminal, config: string | undefined): Promise<HostService> {
  const path = config === undefined ? findServiceFile(cwd) : resolve(cwd, config)
  loadEnvironment(cwd)
  if (path === null) {
    if (namesStore(process.env)) return environmentService(process.env)
    throw new WrongUsage(
      `no credits.ts found (also looked in ${FOLDERS.slice(1).join(', ')}, and for creditkit.config.ts), and neither ` +
        'DATABASE_URL nor CREDITS_DATA_DIR is set: set one, pass --config <file>, or run: npx creditkit init',
    )
  }
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
    throw new WrongUsage(`there is no file ${relative(cwd, path)}`)
  const { createJiti } = await import('jiti')
  const jiti = createJiti(pathToFileURL(path).href, { interopDefault: false, tsconfigPaths: hasTsconfig(cwd) })
  const exported = await jiti.import(path)
  const credits = serviceOf(exported)
  if (credits === null)
    throw new WrongUsage(`${relative(cwd, path)} exports no CreditService: export it as \`credits\`, or as its default`)
  return credits
}

/** Ids that may be somebody's, each of a store with such ids and of none before it. */
const ANYBODY: readonly (readonly [UserIdType, string])[] = [
  ['text', 'nobody'],
  ['bigint', '9223372036854775807'],
  ['integer', '0'],
  ['uuid', '00000000-0000-4000-8000-000000000000'],
]

/** Which credit types the service has, and what ids: it tells by its answers about any user, also one who never was. */
export async function describeService(
  credits: HostService,
): Promise<{ creditTypes: string[]; userIdType: UserIdType }> {
  for (const [userIdType, userId] of ANYBODY) {
    try {
      return { creditTypes: Object.keys(await credits.getAllBalances(userId)), userIdType }
    } catch (error) {
      // Of another type: the next one may do.
      if (!isCreditError(error, 'INVALID_INPUT')) throw error
    }
  }
  throw new Error('describeService: the service takes no user id')
}

/** What `.env.local` and `.env` say and the environment does not. An empty variable is set. */
export function loadEnvironment(cwd: string): void {
  for (const name of ['.env.local', '.env']) {
    const path = join(cwd, name)
    if (!existsSync(path)) continue
    for (const [key, value] of Object.entries(parseEnv(readFileSync(path, 'utf8')))) process.env[key] ??= value
  }
}

function hasTsconfig(cwd: string): boolean {
  return existsSync(join(cwd, 'tsconfig.json'))
}

function serviceOf(exported: unknown): HostService | null {
  if (typeof exported !== 'object' || exported === null) return null
  const candidates: unknown[] = ['credits' in exported && exported.credits, 'default' in exported && exported.default]
  // A host that transpiles may have its own `credits` below `default`.
  for (const candidate of [...candidates])
    if (typeof candidate === 'object' && candidate !== null && 'credits' in candidate)
      candidates.push(candidate.credits)
  return candidates.find(isService) ?? null
}

/** Told by what it can do: another copy of the class may have made it. */
function isService(value: unknown): value is HostService {
  if (typeof value !== 'object' || value === null) return false
  return ['getAllBalances', 'adjustCredits', 'verify', 'close'].every(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  )
}
