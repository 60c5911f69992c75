import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type StackStatus, readStatus } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Child, fromSource, run } from './support/child.ts'
import { until } from './support/until.ts'

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

let folder: string
let dataDir: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-demo-'))
  // The servers run as another user where the test is run by root.
  chmodSync(folder, 0o755)
  dataDir = join(folder, 'data')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('sluice demo', () => {
  it.each([
    ['--for', 'tomorrow'],
    ['--rate', '0'],
    ['--brokers', '10'],
  ])('refuses %s %s and starts nothing', async (...args) => {
    const ended = await run(...fromSource(main, ['demo', ...args]), { env: environment() })
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(args[1])
    expect(readStatus(dataDir).state).toBe('stopped')
  })

  it.each([
    ['the servers', { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' }, /KAFKA_SECURITY_PROTOCOL is SASL_SSL.*does not support/],
    ['the seeder', { LOG_LEVEL: 'verbose' }, /seeder refuses its configuration.*LOG_LEVEL is "verbose"/],
    [
      'a service',
      { KAFKA_LINGER_MS: 'soon' },
      /(generator|consumer) refuses its configuration.*KAFKA_LINGER_MS is "soon"/,
    ],
  ])('tells what is wrong with the configuration of %s, and stops', async (_, env, said) => {
    const ended = await demo([], env).ended
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(said)
    expect(readStatus(dataDir)).toMatchObject({ state: 'stopped', processes: [] })
  })

  it('shows its processes in the status, restarts one that was killed, and drains on Ctrl-C', async () => {
    await using running = demo(['--rate', '200'])
    await running.line((line) => /orders [1-9]\d*\/s/.test(line))
    expect(readStatus(dataDir).processes.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['kafka-1', 'postgres', 'redis', 'cache-worker', 'consumer', 'generator']),
    )
    const { pid } = processNamed('consumer')!
    process.kill(pid!, 'SIGKILL')
    await running.line((line) => line.includes(`consumer (pid ${pid}) ended by SIGKILL`))
    await until(() => processNamed('consumer')?.restarts === 1 && processNamed('consumer')?.state === 'running')
    const second = await demo([]).ended
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(/already_running|already, and the demo runs its own/)
    expect(second.stderr).toContain('end them first (`sluice down`')
    const { code, stdout } = await running.kill('SIGINT')
    expect(code).toBe(130)
    expect(stdout).toMatch(/orders: [\d,]+ acknowledged, [\d,]+ in the topic, .* 0 missing\n/)
    expect(stdout).toContain('nothing was lost')
    expect(readStatus(dataDir)).toMatchObject({ state: 'stopped', processes: [] })
  })

  it('leaves no service undrained when it is killed itself', async () => {
    await using running = demo(['--rate', '200'])
    await running.line((line) => /orders [1-9]\d*\/s/.test(line))
    const pids = readStatus(dataDir).processes.flatMap(({ pid }) => pid ?? [])
    await running.kill('SIGKILL')
    await until(() => !pids.some(isAlive))
    for (const name of ['generator', 'consumer', 'cache-worker']) {
      const lines = readFileSync(join(dataDir, 'logs', `${name}.log`), 'utf8').split('\n')
      const messages = lines
        .filter((line) => line.startsWith('{'))
        .map((line) => (JSON.parse(line) as { msg: string }).msg)
      // Whatever else it says, of servers that end at the same time.
      expect(messages).toContain('stopped')
    }
  })

  it('ends at once on a second Ctrl-C, and leaves nothing running', async () => {
    await using running = demo(['--rate', '200'])
    await running.line((line) => /orders [1-9]\d*\/s/.test(line))
    const pids = readStatus(dataDir).processes.flatMap(({ pid }) => pid ?? [])
    process.kill(pids.at(-1)!, 'SIGSTOP')
    running.process.kill('SIGINT')
    await running.line((line) => line.includes('draining'))
    const { code } = await running.kill('SIGINT')
    expect(code).toBe(130)
    await until(() => !pids.some(isAlive))
  })
})

function demo(args: string[], env: Record<string, string> = {}): Child {
  return new Child(...fromSource(main, ['demo', ...args]), { env: { ...environment(), ...env } })
}

function environment(): Record<string, string | undefined> {
  const foreign = Object.keys(process.env).filter((name) => /^(KAFKA|POSTGRES|REDIS|DATABASE|DB)_/.test(name))
  return { ...Object.fromEntries(foreign.map((name) => [name, undefined])), SLUICE_DATA_DIR: dataDir }
}

function processNamed(name: string): StackStatus['processes'][number] | undefined {
  return readStatus(dataDir).processes.find((one) => one.name === name)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
