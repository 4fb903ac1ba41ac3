import { relative } from 'node:path'
import { WrongUsage } from '../failure.js'
import { findServiceFile, type HostService, loadService } from '../host-service.js'
import type { Terminal } from '../terminal.js'
import { type Check, failed, messageOf, ok } from './check.js'

/**
 * Can the host's service be made at all?
 *
 * @throws {WrongUsage} `config` names no such file, or one that exports no service.
 */
export async function checkService(
  terminal: Terminal,
  config: string | undefined,
): Promise<{ credits: HostService | null; check: Check }> {
  const file = config ?? findServiceFile(terminal.cwd)
  const name = 'service'
  try {
    const credits = await loadService(terminal, config)
    const source = file === null ? 'from the environment alone' : `from ${relative(terminal.cwd, file) || file}`
    return { credits, check: { name, ...ok(source) } }
  } catch (error) {
    if (error instanceof WrongUsage && config !== undefined) throw error
    const next =
      error instanceof WrongUsage
        ? null
        : `put it right in ${file === null ? '.env' : relative(terminal.cwd, file) || file}, or set what is missing`
    return { credits: null, check: { name, ...failed(messageOf(error), next) } }
  }
}
