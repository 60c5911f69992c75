import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka, bytes, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, fromSource, run } from './support/child.ts'
import { canCompileJava, kafkaTool } from './support/java.ts'
import { sluice as runSluice, type SluiceResult } from './support/sluice.ts'

const compilesJava = await canCompileJava()
const program = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
let stack: Stack
let kafka: Kafka
let folder: string
const sluice = (...args: string[]): Promise<SluiceResult> => runSluice(stack.kafka.bootstrapServers, args)
const env = () => ({ KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers })

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(',') })
  folder = mkdtempSync(join(tmpdir(), 'sluice-records-'))
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function create(name: string, partitions = 1): Promise<void> {
  await kafka.admin().createTopics([{ name, partitions }])
}

function file(content: string | Buffer): string {
  const path = join(folder, `${crypto.randomUUID()}.txt`)
  writeFileSync(path, content)
  return path
}

/** The lines that `tail` writes, each through a template. */
async function tail(name: string, format: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await sluice('tail', name, '--format', format, ...args)
  expect(code, stderr).toBe(0)
  return stdout.split('\n').slice(0, -1)
}

describe('sluice produce', () => {
  test('sends a record a line, with keys, headers and bytes as they are', async () => {
    await create('lines')
    const input = Buffer.concat([
      Buffer.from('a:1\nb:x:y\r\n:empty key\nc:'),
      Buffer.from([0xff, 0x00]),
      Buffer.from('\nd:last'),
    ])
    const sent = await sluice('produce', 'lines', '--file', file(input), '-s', ':', '--header', 'source=test')
    expect(sent).toMatchObject({ code: 0, stdout: '5 records acknowledged\n' })
    expect(await tail('lines', '{key}|{value}|{headers}', '--from', 'earliest')).toEqual([
      'a|1|source=test',
      'b|x:y|source=test',
      '""|empty key|source=test',
      'c|base64:/wA=|source=test',
      'd|last|source=test',
    ])
  })

  test('goes on after a line that fails, names it, counts both, and ends with code 1', async () => {
    await create('faulty')
    const input = `a:1\nno separator\nb:${'x'.repeat(2_000_000)}\nc:3\n`
    const { code, stdout, stderr } = await sluice('produce', 'faulty', '--file', file(input), '-s', ':')
    expect([code, stdout]).toEqual([1, '2 records acknowledged, 2 lines failed\n'])
    expect(stderr).toMatch(/^line 2: it has no ":" between key and value$/m)
    expect(stderr).toMatch(/^line 3: record_too_large: /m)
    expect(await tail('faulty', '{key}')).toEqual(['a', 'c'])
  })

  test('reports to programs which lines failed and why', async () => {
    const { stdout } = await sluice('produce', 'faulty', '--file', file('{"value":1}\n[]\n'), '-i', 'json', '--json')
    expect(JSON.parse(stdout)).toEqual({
      acknowledged: 1,
      failed: 1,
      failures: [{ line: 2, error: 'not a JSON object' }],
    })
  })

  test('copies what tail writes as JSON, key, value, headers, time and bytes', async () => {
    await create('source')
    await create('copy')
    const raw = topic('source', { key: bytes, value: bytes })
    await using producer = await kafka.producer()
    const headers = [
      ['a', '1'],
      ['a', null],
      ['b', Buffer.from([0xff])],
    ] as const
    await producer.send(raw, { key: Buffer.from([0, 0x9b]), value: null, headers, timestampMs: 1_000 })
    await producer.send(raw, { key: null, value: Buffer.from('주문 \u001B[31m'), timestampMs: 2_000 })
    const out = (await sluice('tail', 'source', '--json', '--from', 'earliest')).stdout
    expect((await sluice('produce', 'copy', '--file', file(out), '-i', 'json')).code).toBe(0)
    const copied = (await sluice('tail', 'copy', '--json', '--from', 'earliest')).stdout
    expect(copied.replaceAll('"copy"', '"source"')).toBe(out)
  })

  test('reads the standard input to its end', async () => {
    await create('piped')
    const [node, args] = fromSource(program, ['produce', 'piped'])
    expect(await run(node, args, { env: env(), stdin: 'one\ntwo' })).toMatchObject({
      code: 0,
      stdout: '2 records acknowledged',
    })
    expect(await tail('piped', '{value}')).toEqual(['one', 'two'])
  })

  test('sends and shows records that are larger than a queue and a fetch', async () => {
    const configs = { 'max.message.bytes': '40000000' }
    await kafka.admin().createTopics([{ name: 'large', partitions: 1, configs }])
    const lines = [20_000_000, 9_000_000, 3].map((bytes) => randomBytes(bytes).toString('base64'))
    const sent = await sluice('produce', 'large', '--file', file(lines.join('\n')), '--max-record-bytes', '35000000')
    expect(sent).toMatchObject({ code: 0, stdout: '3 records acknowledged\n' })
    const { stdout } = await sluice('tail', 'large', '--raw', '--from', 'earliest')
    expect(stdout === `${lines.join('\n')}\n`).toBe(true)
  })

  test('refuses a topic, a partition and a file that are not there before it reads anything', async () => {
    const path = file('x\n')
    expect((await sluice('produce', 'pipd', '--file', path)).stderr).toContain(
      'there is no topic pipd - did you mean piped?',
    )
    expect((await sluice('produce', 'piped', '--file', path, '-p', '1')).stderr).toContain(
      'piped has no partition 1 - it has 0',
    )
    expect((await sluice('produce', 'piped', '--file', join(folder, 'none'))).stderr).toContain('file_unreadable')
    expect((await sluice('produce', 'piped', '-k', 'a', '-s', ':')).code).toBe(2)
    expect(await tail('piped', '{value}')).toEqual(['one', 'two'])
  })
})

describe('sluice tail', () => {
  test('shows the newest of all partitions by their time, and ends', async () => {
    await create('newest', 3)
    const words = topic('newest', { value: text })
    await using producer = await kafka.producer()
    for (let n = 0; n < 30; n++) await producer.send(words, { value: `${n}`, partition: n % 3, timestampMs: 1_000 + n })
    expect(await tail('newest', '{value}')).toEqual(Array.from({ length: 10 }, (_, n) => `${n + 20}`))
    expect(await tail('newest', '{value}', '-n', '2')).toEqual(['28', '29'])
    expect(await tail('newest', '{value}', '-p', '1', '-n', '2')).toEqual(['25', '28'])
    expect(await tail('newest', '{value}', '--from', '@1028')).toHaveLength(2)
    expect(await tail('newest', '{partition}/{offset}', '--from', '8', '-p', '2')).toEqual(['2/8', '2/9'])
    expect(await tail('newest', '{value}', '--from', 'earliest', '--limit', '4')).toHaveLength(4)
  })

  test('stops before an offset or a time in each partition', async () => {
    await create('bounded', 2)
    const firstMs = Date.now() - 60_000
    const at = (n: number): string => `@${firstMs + n}`
    const bounded = topic('bounded', { value: text })
    await using producer = await kafka.producer()
    for (let n = 0; n < 20; n++) {
      await producer.send(bounded, { value: `${n}`, partition: n % 2, timestampMs: firstMs + n })
    }
    const all = ['--from', 'earliest']
    expect(await tail('bounded', '{partition}/{offset}', ...all, '--until', '1')).toEqual(
      expect.arrayContaining(['0/0', '1/0']),
    )
    expect(await tail('bounded', '{value}', ...all, '--until', '1')).toHaveLength(2)
    expect((await tail('bounded', '{value}', '--from', at(5), '--until', at(9))).toSorted()).toEqual([
      '5',
      '6',
      '7',
      '8',
    ])
    expect(await tail('bounded', '{value}', '-n', '3', '--until', at(10))).toEqual(['7', '8', '9'])
    expect(await tail('bounded', '{value}', '-n', '3', '--until', at(10), '-p', '1')).toEqual(['5', '7', '9'])
    expect(await tail('bounded', '{value}', ...all, '--until', '999')).toHaveLength(20)
    expect(await tail('bounded', '{value}', ...all, '--until', '0')).toEqual([])
    expect((await tail('bounded', '{value}', '-g', '1', '--until', at(12))).toSorted()).toEqual(['1', '10', '11'])
  })

  test('finds records by key, header and text, from the beginning on', async () => {
    await create('filtered', 2)
    const words = topic('filtered', { value: text })
    await using producer = await kafka.producer()
    const send = (key: string, value: string, type: string) => producer.send(words, { key, value, headers: { type } })
    await send('u1', 'created by u1', 'created')
    for (let n = 0; n < 50; n++) await send('u2', `noise ${n}`, 'noise')
    await send('u1', 'paid by u1', 'paid')
    expect(await tail('filtered', '{value}', '-k', 'u1')).toEqual(['created by u1', 'paid by u1'])
    expect(await tail('filtered', '{key}', '--header', 'type=paid')).toEqual(['u1'])
    expect(await tail('filtered', '{key}', '-g', 'noise 7')).toEqual(['u2'])
    const { stderr } = await sluice('tail', 'filtered', '-g', 'nowhere')
    expect(stderr).toContain('0 of 52 records')
  })

  test('joins no group and commits nothing', async () => {
    await tail('newest', '{value}')
    expect(await kafka.admin().listGroups()).toEqual([])
  })

  test('follows until Ctrl-C, which ends it with code 130', async () => {
    await create('followed', 2)
    const words = topic('followed', { value: text })
    await using producer = await kafka.producer()
    await producer.send(words, { value: 'before' })
    const [node, args] = fromSource(program, ['tail', 'followed', '-f', '--raw'])
    await using following = new Child(node, args, { env: env() })
    await following.line((line) => line === 'before')
    await producer.send(words, { value: 'after' })
    await following.line((line) => line === 'after')
    following.process.kill('SIGINT')
    const { code, stdout, stderr } = await following.ended
    expect([code, stdout]).toEqual([130, 'before\nafter'])
    expect(stderr).toMatch(/^2 records$/m)
  })

  test('ends quietly with code 0 when its reader goes away', async () => {
    await create('long')
    await using producer = await kafka.producer()
    const many = Array.from({ length: 20_000 }, (_, n) => ({ value: `${n}`.padEnd(100) }))
    for await (const _ of producer.sendAll(topic('long', { value: text }), many));
    const [node, args] = fromSource(program, ['tail', 'long', '--from', 'earliest', '-f'])
    const script = 'set -o pipefail; "$0" "$@" | head -1'
    const ended = await run('bash', ['-c', script, node, ...args], { env: env(), timeoutMs: 30_000 })
    expect(ended).toMatchObject({
      code: 0,
      stderr: `Kafka at ${stack.kafka.bootstrapServers} (KAFKA_BOOTSTRAP_SERVERS)\n`,
    })
  })

  test('ends when its reader goes away while nothing new comes', async () => {
    await create('quiet')
    await using producer = await kafka.producer()
    for (const value of ['one', 'two']) await producer.send(topic('quiet', { value: text }), { value })
    const [node, args] = fromSource(program, ['tail', 'quiet', '-f', '--raw'])
    const script = 'set -o pipefail; "$0" "$@" | head -2'
    const ended = await run('bash', ['-c', script, node, ...args], { env: env(), timeoutMs: 30_000 })
    expect(ended).toMatchObject({ code: 0, stdout: 'one\ntwo' })
  })

  test('hides the headers that every record has, unless they are asked for', async () => {
    await create('headed')
    await using producer = await kafka.producer()
    await producer.send(topic('headed', { value: text }), { value: 'v', headers: { type: 'created' } })
    expect((await sluice('tail', 'headed')).stdout).toMatch(/ {2}null {2}v {2}type=created\n$/)
    expect((await sluice('tail', 'headed', '--all-headers')).stdout).toMatch(/type=created .*timestamp=\d+\n$/)
    expect(await tail('headed', '{headers}')).toEqual([expect.stringContaining('trace-id=')])
  })

  test('takes an empty topic and a thousand partitions as they are', async () => {
    await create('empty')
    expect(await sluice('tail', 'empty')).toMatchObject({ code: 0, stdout: '' })
    await create('thousand', 1_000)
    await using producer = await kafka.producer()
    await producer.send(topic('thousand', { value: text }), { value: 'here', partition: 900 })
    // A partition that was made a moment ago may not be ready on a busy machine, which `tail` would say.
    await kafka.admin().offsets(['thousand'], 'latest')
    expect(await tail('thousand', '{partition} {value}')).toEqual(['900 here'])
  })

  test.skipIf(!compilesJava)('shows what was aborted only when asked, and counts no transaction marker', async () => {
    await create('transactions')
    const javaProgram = join(import.meta.dirname, 'programs/TransactionalWriter.java')
    const args = [stack.kafka.bootstrapServers, 'transactions', '4', '3']
    await kafkaTool(javaProgram, args)
    const committed = await tail('transactions', '{value}', '--from', 'earliest')
    expect(committed).toEqual(Array.from({ length: 9 }, (_, n) => `committed ${n}`))
    const all = await tail('transactions', '{value}', '--from', 'earliest', '--uncommitted')
    expect(all.filter((value) => value.startsWith('aborted'))).toEqual(['aborted 0', 'aborted 1', 'aborted 2'])
    expect(all).toHaveLength(12)
  })

  test('refuses what makes no sense', async () => {
    expect((await sluice('tail', 'empty', '--from', 'latest')).code).toBe(2)
    expect((await sluice('tail', 'empty', '--until', '5', '-f')).code).toBe(2)
    expect((await sluice('tail', 'empty', '--until', 'latest')).code).toBe(2)
    expect((await sluice('tail', 'empty', '--json', '--raw')).code).toBe(2)
    expect((await sluice('tail', 'empty', '--format', '%k %v')).code).toBe(2)
    expect((await sluice('tail', 'empty topic')).code).toBe(2)
    expect((await sluice('tail', 'empty', '--from', '1', '-n', '1')).code).toBe(2)
    expect((await sluice('tail', 'empty', '-p', '5')).stderr).toContain('empty has no partition 5')
  })
})
