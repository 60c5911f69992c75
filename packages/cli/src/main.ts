#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { compileCacheFolder } from './compile-cache.ts'

// Compiled once, it starts in two thirds of the time; so does what it starts. NODE_DISABLE_COMPILE_CACHE=1 turns it off.
const folder = process.env['NODE_COMPILE_CACHE'] ?? compileCacheFolder(process.env)
if (folder !== undefined) {
  process.env['NODE_COMPILE_CACHE'] = folder
  enableCompileCache(folder)
}

const { run } = await import('./program.ts')
process.exitCode = await run(process.argv.slice(2))
