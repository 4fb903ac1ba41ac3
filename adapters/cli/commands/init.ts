import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { EXIT, WrongUsage } from '../failure.js'
import type { Needed } from '../init/packages.js'
import { type Plan, planOf } from '../init/plan.js'
import { DATABASES, type Database, FRAMEWORKS, type Framework, type Installer, readProject } from '../init/project.js'
import { initText } from '../init/told.js'
import { writeNewFiles } from '../new-files.js'
import { print } from '../output.js'
import type { Run } from '../program.js'
import { jsonCommand } from '../service-command.js'
import type { Terminal } from '../terminal.js'

interface Options {
  framework?: Framework
  database?: Database
  yes?: true
  install?: true
  json?: true
}

/** `init`: write what a project needs to sell and spend credits. */
export function registerInit(program: Command, run: Run): void {
  jsonCommand(program, 'init')
    .description('write a service, its routes and a script for development into your project; never overwrites')
    .addOption(new Option('--framework <name>', 'default: what package.json names').choices(FRAMEWORKS))
    .addOption(
      new Option('--database <name>', 'drizzle: PostgreSQL, with our tables in your own schema').choices(DATABASES),
    )
    .option('--yes', 'ask nothing: take what package.json suggests, else node and pglite')
    .option('--install', 'also install the packages that are missing')
    .action(
      run(async (terminal, options: Options) => {
        const project = readProject(terminal.cwd)
        const framework = await choose(terminal, options, {
          flag: '--framework',
          question: 'Which framework?',
          choices: FRAMEWORKS,
          given: options.framework,
          suggested: project.framework ?? 'node',
        })
        const database = await choose(terminal, options, {
          flag: '--database',
          question: 'Which database? drizzle: PostgreSQL, with our tables in your own schema.',
          choices: DATABASES,
          given: options.database,
          suggested: project.database ?? 'pglite',
        })
        const plan = await planOf(project, framework, database)
        const { written, left } = writeNewFiles(terminal.cwd, plan.files)
        const changed = left.filter((path) => readFileSync(join(terminal.cwd, path), 'utf8') !== plan.files[path])
        const commands = installCommands(project.installer, plan.needed)
        const isInstalled = options.install === true && commands.length > 0
        if (isInstalled) for (const command of commands) await install(terminal, command)
        const told = { written, left, changed, install: isInstalled ? [] : commands }
        await print(terminal, options.json, jsonOf(plan, told), initText(plan, told))
        return EXIT.fine
      }),
    )
}

interface Question<C extends string> {
  flag: string
  question: string
  choices: readonly C[]
  given: C | undefined
  suggested: C
}

async function choose<C extends string>(terminal: Terminal, { yes }: Options, asked: Question<C>): Promise<C> {
  const { flag, question, choices, given, suggested } = asked
  if (given !== undefined) return given
  if (yes === true) return suggested
  if (!terminal.isInteractive)
    throw new WrongUsage(`nobody is there to choose: pass ${flag} ${choices.join('|')}, or --yes for ${suggested}`)
  for (;;) {
    const answer = (await terminal.ask(`${question}\n  ${choices.join(', ')} [${suggested}] `)).trim().toLowerCase()
    if (answer === '') return suggested
    const choice = choices.find((known) => known === answer)
    if (choice !== undefined) return choice
    terminal.err(`There is no ${answer}.\n`)
  }
}

function installCommands({ command, add, addForDevelopment }: Installer, needed: Needed): string[][] {
  const lines = [
    [needed.packages, add],
    [needed.forDevelopment, addForDevelopment],
  ] as const
  return lines.filter(([names]) => names.length > 0).map(([names, words]) => [command, ...words, ...names])
}

/** What the installer says goes where everything that is no result goes. */
async function install(terminal: Terminal, line: readonly string[]): Promise<void> {
  const [command = '', ...args] = line
  terminal.err(`${line.join(' ')}\n`)
  // On Windows installers are scripts, which only a shell runs. Nothing of the line is anybody's input.
  const child = spawn(command, args, {
    cwd: terminal.cwd,
    stdio: ['inherit', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  })
  child.stdout.on('data', (chunk: Buffer) => terminal.err(chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => terminal.err(chunk.toString()))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${line.join(' ')} ended with ${String(code)}; the files are written`)
}

export interface Told {
  written: readonly string[]
  /** They were there. */
  left: readonly string[]
  /** Those of them that hold something else than we would have written. */
  changed: readonly string[]
  /** Commands that are still to be run. */
  install: readonly (readonly string[])[]
}

function jsonOf(plan: Plan, told: Told): unknown {
  const { framework, database, steps, devCommand, startCommand, files, pastes } = plan
  const { written, left, changed } = told
  const install = told.install.map((line) => line.join(' '))
  const paste = Object.fromEntries(changed.map((path) => [path, pastes[path] ?? files[path]]))
  return { framework, database, written, left, paste, install, steps, dev: devCommand, start: startCommand }
}
