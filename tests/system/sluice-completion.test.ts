import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromSource, runOk } from './support/child.ts'

const program = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const hasShell = (name: string): boolean => spawnSync(name, ['-c', 'true']).status === 0
let stack: Stack
let kafka: Kafka
let folder: string

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers })
  await kafka.admin().createTopics([{ name: 'orders' }, { name: 'orders.priced' }, { name: 'payments' }])
  await kafka.admin().alterOffsets('billing', [{ topic: 'orders', partition: 0, offset: 0 }])
  folder = mkdtempSync(join(tmpdir(), 'sluice-completion-'))
  const [node, args] = fromSource(program)
  writeFileSync(join(folder, 'sluice'), `#!/bin/sh\nexec ${[node, ...args].map((one) => `'${one}'`).join(' ')} "$@"\n`)
  chmodSync(join(folder, 'sluice'), 0o755)
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What a shell would offer for the line, without descriptions. */
async function offered(shell: string, script: string, env: Record<string, string> = {}): Promise<string[]> {
  const path = `${folder}${delimiter}${process.env['PATH']}`
  const servers = { KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers, KAFKA_CONNECT_TIMEOUT_MS: '10000' }
  const output = await runOk(shell, ['-c', script], { env: { ...servers, ...env, PATH: path, HOME: folder } })
  return output.split('\n').filter((line) => line !== '')
}

const byShell = {
  bash: (line: string) =>
    offered(
      'bash',
      `source <(sluice completion bash); COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ),
  // Its completion system runs only in an interactive shell: what would be shown is printed.
  zsh: (line: string) =>
    offered(
      'zsh',
      `compdef() { :; }; source <(sluice completion zsh); _describe() { print -l -- "\${(@)found%%:*}"; }; _files() { :; }
       words=("\${(@s: :)LINE}"); CURRENT=\${#words}; _sluice`,
      { LINE: line },
    ),
  fish: async (line: string) => {
    const lines = await offered('fish', `sluice completion fish | source; complete -C '${line}'`)
    return lines.map((one) => one.split('\t')[0]!)
  },
} as const

describe.each(Object.entries(byShell))('in %s', (shell, offers) => {
  test.skipIf(!hasShell(shell))('commands, options, and the names of topics and groups are completed', async () => {
    expect(await offers('sluice topi')).toEqual(['topics'])
    expect(await offers('sluice topics de')).toEqual(expect.arrayContaining(['describe', 'delete']))
    expect(await offers('sluice tail orders --fo')).toEqual(expect.arrayContaining(['--follow', '--format']))
    expect((await offers('sluice tail or')).toSorted()).toEqual(['orders', 'orders.priced'])
    expect(await offers('sluice groups reset bil')).toEqual(['billing'])
    expect(await offers(`sluice tail -b ${stack.kafka.bootstrapServers} pay`)).toEqual(['payments'])
  })
})

test('names that cannot be asked for are left out without a word', async () => {
  const script = 'sluice __complete tail -b 127.0.0.1:1 ""'
  expect(await offered('sh', script, { KAFKA_CONNECT_TIMEOUT_MS: '200' })).toEqual([])
})
