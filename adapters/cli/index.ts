#!/usr/bin/env node
import { runCommand } from './program.js'
import { processTerminal } from './terminal.js'

// Somebody who reads the first lines only (`| head`) has what they want.
process.stdout.on('error', () => process.exit(0))

const exitCode = await runCommand(process.argv.slice(2), processTerminal())
// A pool or a client that the host's file made would keep the process alive; what was written is flushed first.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
