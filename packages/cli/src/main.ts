#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Compiled once, it starts in two thirds of the time; so does what it starts. NODE_DISABLE_COMPILE_CACHE=1 turns it off.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])

const { run } = await import('./program.ts')
process.exitCode = await run(process.argv.slice(2))
