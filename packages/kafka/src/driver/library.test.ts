import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const entry = fileURLToPath(new URL('../index.ts', import.meta.url))

/** What `lines` print, and whether modules of the library were loaded at their end. */
function modulesLoadedBy(...lines: readonly string[]): string {
  const program = [
    `import { registerHooks } from 'node:module'`,
    `let count = 0`,
    `const isOfLibrary = (url) => url.includes('/@platformatic/kafka/')`,
    `registerHooks({ load: (url, context, next) => (isOfLibrary(url) && count++, next(url, context)) })`,
    `const { Kafka, json, topic } = await import(${JSON.stringify(entry)})`,
    ...lines,
    `console.log(count > 0 ? 'loaded' : 'not loaded')`,
  ].join('\n')
  const args = ['--conditions=@sluice/source', '--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return stdout.trim() || stderr
}

test('the client library is loaded for the first connection, and not before', () => {
  const open = `const kafka = new Kafka({ brokers: '127.0.0.1:1' })`
  expect(modulesLoadedBy(`topic('orders', { value: json() })`, open)).toBe('not loaded')
  const refused = `await kafka.admin().listTopics().catch((error) => console.log(error.name))`
  expect(modulesLoadedBy(open, refused)).toBe('ConnectionError\nloaded')
})
