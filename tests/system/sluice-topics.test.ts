import { fileURLToPath } from 'node:url'
import { Kafka, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, fromSource } from './support/child.ts'
import { kafkaToolBeside } from './support/java.ts'
import { sluice as runSluice, type SluiceResult } from './support/sluice.ts'
import { until } from './support/until.ts'

let stack: Stack
let kafka: Kafka
const sluice = (...args: string[]): Promise<SluiceResult> => runSluice(stack.kafka.bootstrapServers, args)
const read = async (...args: string[]): Promise<unknown> => JSON.parse((await sluice(...args, '--json')).stdout)

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(',') })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

/** Records of one partition, with the times 1,000, 1,001 ... */
async function write(name: string, count: number, partition = 0): Promise<void> {
  await using producer = await kafka.producer()
  const records = Array.from({ length: count }, (_, n) => ({ value: `${n}`, partition, timestampMs: 1_000 + n }))
  for await (const _ of producer.sendAll(topic(name, { value: text }), records));
}

describe('sluice topics', () => {
  test('creates, lists and describes', async () => {
    const created = await sluice('topics', 'create', 'orders', '-p', '3', '-c', 'retention.ms=86400000')
    expect(created).toMatchObject({ code: 0, stdout: 'orders is created: 3 partitions\n' })
    await write('orders', 1_200)
    expect((await sluice('topics', 'list')).stdout).toBe(
      'TOPIC   PARTITIONS  REPLICAS  RECORDS\norders           3         1    1,200\n',
    )
    expect(await read('topics', 'list')).toEqual([
      { name: 'orders', partitions: 3, replicas: 1, records: 1_200, unknown: [] },
    ])
    const { stdout } = await sluice('topics', 'describe', 'orders')
    expect(stdout).toMatch(/^orders: 3 partitions, 1,200 records\nretention\.ms = 86400000\n\nPARTITION  LEADER/)
    expect(await read('topics', 'describe', 'orders')).toMatchObject([
      { name: 'orders', ownConfigs: { 'retention.ms': '86400000' }, partitions: [{ start: 0, end: 1_200 }, {}, {}] },
    ])
  })

  test('says on the standard error which Kafka it uses, and why that one', async () => {
    const { stderr } = await sluice('topics', 'list')
    expect(stderr).toBe(`Kafka at ${stack.kafka.bootstrapServers} (KAFKA_BOOTSTRAP_SERVERS)\n`)
  })

  test('suggests the nearest name where there is none like that', async () => {
    for (const args of [
      ['describe', 'ordres'],
      ['alter', 'ordres', '-p', '9'],
      ['delete', 'ordres'],
    ]) {
      expect(await sluice('topics', ...args)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('sluice: topic_unknown: there is no topic ordres - did you mean orders?'),
      })
    }
  })

  test('gives more partitions and other settings only when told to execute the plan', async () => {
    const change = [
      'topics',
      'alter',
      'orders',
      '-p',
      '5',
      '-c',
      'retention.ms=1000',
      '--reset-config',
      'cleanup.policy',
    ]
    const plan = await sluice(...change)
    expect(plan.stdout).toMatch(
      /^Plan: alter orders\n\nSETTING +FROM +TO\npartitions +3 +5\nretention.ms +86400000 +1000\n/,
    )
    expect(plan.stdout).toMatch(/Nothing was changed\. Add --execute to do it\.\n$/)
    expect(await read('topics', 'list')).toMatchObject([{ partitions: 3 }])
    expect((await sluice(...change, '--execute')).code).toBe(0)
    expect(await read('topics', 'describe', 'orders')).toMatchObject([
      { partitions: { length: 5 }, ownConfigs: { 'retention.ms': '1000' } },
    ])
  })

  test('never takes partitions away, and asks the broker before it shows a plan', async () => {
    expect(await sluice('topics', 'alter', 'orders', '-p', '2', '--execute')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('partitions is 2, but must be more than the 5 that orders has'),
    })
    expect(await sluice('topics', 'alter', 'orders', '-c', 'nonsense=1')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('INVALID_CONFIG'),
    })
  })

  test('end with code 2 for what is wrong on the command line, and say what to do', async () => {
    for (const [args, said] of [
      [['create', 'bad name'], 'name is "bad name", but must be 1 to 249'],
      [['describe', 'bad name'], 'INVALID_TOPIC_EXCEPTION'],
      [['create', 'x', '-p', '0'], 'usage: option .* expected a whole number from 1 .*`sluice topics create --help`'],
      [['list', '-b', 'http://localhost:9092'], 'usage: --bootstrap is "http://localhost:9092"'],
    ] as const) {
      const { code, stderr } = await sluice('topics', ...args)
      expect([code, stderr]).toEqual([2, expect.stringMatching(new RegExp(`^sluice: .*${said}.*\n$`, 'm'))])
    }
    // A trailing comma is what a script leaves.
    expect((await sluice('topics', 'list', '-b', `${stack.kafka.bootstrapServers},`)).code).toBe(0)
    expect(await sluice('topics', 'create', 'orders')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--if-not-exists accepts a topic that exists already'),
    })
  })

  test('trims what is before a place, of all partitions or of some, when told to execute the plan', async () => {
    // The records are of 1970: retention would delete them.
    const keep = { 'retention.ms': '-1' }
    await kafka.admin().createTopics([{ name: 'old', partitions: 2, configs: keep }])
    for (const partition of [0, 1]) await write('old', 10, partition)
    const startsOf = async () => (await kafka.admin().offsets(['old'], 'earliest')).map(({ offset }) => offset)
    const plan = await sluice('topics', 'trim', 'old', '--before', '4')
    expect(plan.stdout).toMatch(
      /^Plan: delete 8 records of old\n\nPARTITION +START +NEW START +RECORDS\n +0 +0 +4 +4\n/,
    )
    expect(plan.stdout).toContain('Nothing was changed. Add --execute to do it.')
    expect(await startsOf()).toEqual([0, 0])
    expect(await read('topics', 'trim', 'old', '--before', '4', '-p', '1', '--execute')).toEqual({
      plan: { topic: 'old', partitions: [{ partition: 1, start: 0, before: 4, records: 4 }] },
      executed: true,
    })
    expect(await startsOf()).toEqual([0, 4])
    expect((await sluice('topics', 'trim', 'old', '--before', '-3', '--execute')).code).toBe(0)
    expect(await startsOf()).toEqual([7, 7])
    expect((await sluice('topics', 'trim', 'old', '--before', '7', '--execute')).stdout).toContain('delete 0 records')
    expect((await sluice('topics', 'trim', 'old', '--before', 'latest', '--execute')).code).toBe(0)
    expect(await startsOf()).toEqual([10, 10])
    for (const wrong of [['old'], ['old', '--before', 'earliest'], ['old', '--before', 'soon']]) {
      expect((await sluice('topics', 'trim', ...wrong)).code).toBe(2)
    }
    expect((await sluice('topics', 'trim', 'old', '--before', '1', '-p', '9')).stderr).toContain(
      'old has no partition 9',
    )
    const configs = { 'cleanup.policy': 'compact' }
    await kafka.admin().createTopics([{ name: 'compacted', partitions: 1, configs }])
    await sluice('produce', 'compacted', '--file', '/dev/null')
    const compacted = await kafka.producer()
    await compacted.send(topic('compacted', { key: text, value: text }), { key: 'k', value: 'v' })
    await compacted.close()
    expect((await sluice('topics', 'trim', 'compacted', '--before', 'latest', '--execute')).stderr).toMatch(
      /POLICY_VIOLATION .*`cleanup.policy` of the topic contains delete/,
    )
  })

  test('deletes only when told to execute the plan', async () => {
    await sluice('topics', 'create', 'short-lived', '-p', '1')
    await write('short-lived', 7)
    const plan = await sluice('topics', 'delete', 'short-lived')
    expect(plan.stdout).toContain('Plan: delete 1 topic with 7 records')
    expect(await kafka.admin().listTopics()).toContain('short-lived')
    expect(await read('topics', 'delete', 'short-lived', '--execute')).toEqual({
      plan: { topics: [{ topic: 'short-lived', partitions: 1, records: 7 }] },
      executed: true,
    })
    expect(await kafka.admin().listTopics()).not.toContain('short-lived')
  })

  test('refuses a command line that makes no sense with code 2, and does nothing', async () => {
    for (const args of [
      ['alter', 'orders'],
      ['create'],
      ['create', 'x', '-p', '0'],
      ['nonsense'],
      ['alter', 'orders', '-c', 'x'],
    ]) {
      expect(await sluice('topics', ...args), args.join(' ')).toMatchObject({ code: 2, stdout: '' })
    }
  })
})

describe('sluice topics watch', () => {
  test('tells how topics grow until Ctrl-C, which ends it with code 130', async () => {
    const program = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
    const [node, args] = fromSource(program, ['topics', 'watch', 'orders', '-i', '200ms', '--json'])
    await using watching = new Child(node, args, { env: { KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers } })
    await watching.line((line) => line.includes('"end":1200,"perSecond":0'))
    await write('orders', 100)
    await watching.line((line) => /"end":1300,"perSecond":[1-9]/.test(line))
    watching.process.kill('SIGINT')
    expect((await watching.ended).code).toBe(130)
  })
})

describe('sluice groups and lag', () => {
  test('refuse to move or to delete a group while it is live, and name who is there', async () => {
    const admin = kafka.admin()
    await admin.createTopics([{ name: 'jobs', partitions: 2 }])
    await write('jobs', 100)
    await using consumer = await kafka.consumer({
      group: 'workers',
      topics: [topic('jobs', { value: text })],
      reset: 'earliest',
    })
    const done = Promise.withResolvers<void>()
    const running = consumer.run(({ value }) => (value === '99' ? done.resolve() : undefined))
    await done.promise
    const refusals = [
      await sluice('groups', 'reset', 'workers', '--to', 'earliest', '--topic', 'jobs', '--execute'),
      await sluice('groups', 'delete', 'workers', '--execute'),
    ]
    for (const { code, stderr } of refusals) {
      expect(code).toBe(1)
      expect(stderr).toContain('sluice: group_live: workers is live: it has a member, sluice at 127.0.0.1')
    }
    await expect(admin.alterOffsets('workers', [{ topic: 'jobs', partition: 0, offset: 0 }])).rejects.toMatchObject({
      apiError: 'NON_EMPTY_GROUP',
    })
    const described = (await sluice('groups', 'describe', 'workers')).stdout
    expect(described).toMatch(/^workers: Stable, 1 member, \d+ behind, consumer protocol/)
    expect(described).toMatch(/^jobs +0 +.* sluice +127\.0\.0\.1$/m)
    await consumer.close()
    await running
    expect(await read('lag', 'workers')).toMatchObject([{ group: 'workers', state: 'Empty', members: 0, lag: 0 }])
  })

  test.each<[string, string[], number]>([
    ['the beginning', ['--to', 'earliest'], 0],
    ['an offset', ['--to', '40'], 40],
    ['an offset past the end, which is brought to the end', ['--to', '4000'], 100],
    ['a time', ['--to', '@1060'], 60],
    ['a time after the last record', ['--to', '@99999'], 100],
    ['the last ten', ['--to', '-10'], 90],
    ['five back', ['--shift-by', '-5'], 85],
    ['two on', ['--shift-by', '2'], 87],
    ['the end', ['--to', 'latest'], 100],
  ])('reset a group to %s', async (_, target, expected) => {
    const reset = ['groups', 'reset', 'workers', ...target, '--topic', 'jobs:0']
    const before = await kafka.admin().committedOffsets('workers')
    expect(await read(...reset)).toMatchObject({
      plan: { changes: [{ topic: 'jobs', partition: 0, to: expected }] },
      executed: false,
    })
    expect(await kafka.admin().committedOffsets('workers')).toEqual(before)
    expect((await sluice(...reset, '--execute')).code).toBe(0)
    expect(await kafka.admin().committedOffsets('workers')).toMatchObject([
      { partition: 0, offset: expected },
      { partition: 1, offset: 0 },
    ])
  })

  test('say how far groups are behind, and end with code 3 above a threshold', async () => {
    await sluice('groups', 'reset', 'workers', '--to', '70', '--topic', 'jobs:0', '--execute')
    expect((await sluice('lag')).stdout).toBe('GROUP    STATE  MEMBERS  LAG\nworkers  Empty        0   30\n')
    expect((await sluice('lag', 'workers')).stdout).toMatch(
      /^workers: Empty, 30 records behind\n\nTOPIC.*\njobs +0 +70 +100 +30 /,
    )
    expect((await sluice('lag', '--fail-above', '30')).code).toBe(0)
    expect(await sluice('lag', 'workers', '--fail-above', '29')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('workers is 30 records behind, more than 29'),
    })
    // It is beyond from the start: the watching ends by itself.
    expect((await sluice('lag', '--watch', '100ms', '--json', '--fail-above', '0')).code).toBe(3)
  })

  test('forget what was committed in a topic, or in some of its partitions, when told to execute the plan', async () => {
    await kafka.admin().createTopics([{ name: 'left', partitions: 3 }])
    await write('left', 9)
    const places = [0, 1, 2].map((partition) => ({ topic: 'left', partition, offset: 2 }))
    await kafka.admin().alterOffsets('leavers', places)
    const committed = async () => (await kafka.admin().committedOffsets('leavers')).map(({ partition }) => partition)
    const plan = await sluice('groups', 'delete-offsets', 'leavers', '--topic', 'left:0,2')
    expect(plan.stdout).toContain('Plan: delete what leavers has committed on 2 partitions')
    expect(await committed()).toEqual([0, 1, 2])
    expect(await read('groups', 'delete-offsets', 'leavers', '-t', 'left:0,2', '--execute')).toMatchObject({
      plan: { group: 'leavers', offsets: [{ partition: 0, offset: 2 }, { partition: 2 }] },
      executed: true,
    })
    expect(await committed()).toEqual([1])
    expect((await sluice('groups', 'delete-offsets', 'leavers', '-t', 'left:0', '--execute')).stderr).toContain(
      'offsets_none: leavers has committed nothing there: left',
    )
    expect((await sluice('groups', 'delete-offsets', 'leaver', '-t', 'left')).stderr).toContain('did you mean leavers?')
    expect((await sluice('groups', 'delete-offsets', 'leavers')).code).toBe(2)
    await using consumer = await kafka.consumer({ group: 'leavers', topics: [topic('left', { value: text })] })
    void consumer.run(() => undefined)
    await until(async () => (await sluice('groups', 'describe', 'leavers')).stdout.startsWith('leavers: Stable'))
    expect((await sluice('groups', 'delete-offsets', 'leavers', '-t', 'left', '--execute')).stderr).toContain(
      'a member of the group reads this topic: stop it first',
    )
  })

  test('suggest the nearest group, and create one ahead of time where that was said', async () => {
    expect(await sluice('groups', 'describe', 'worker')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no group worker - did you mean workers?'),
    })
    expect((await sluice('groups', 'reset', 'novices', '--to', '50', '--topic', 'jobs:0', '--execute')).code).toBe(1)
    expect(
      (await sluice('groups', 'reset', 'novices', '--to', '50', '--topic', 'jobs:0', '--new', '--execute')).code,
    ).toBe(0)
    expect((await sluice('groups', 'list')).stdout).toMatch(/^novices +Empty/m)
    await sluice('groups', 'delete', 'novices')
    expect((await sluice('groups', 'list')).stdout).toContain('novices')
    await sluice('groups', 'delete', 'novices', '--execute')
    expect((await sluice('groups', 'list')).stdout).not.toContain('novices')
  })

  test('forget what a group has committed for one partition', async () => {
    await kafka.admin().deleteOffsets('workers', [{ topic: 'jobs', partition: 1 }])
    expect(await kafka.admin().committedOffsets('workers')).toMatchObject([{ topic: 'jobs', partition: 0 }])
  })

  test.each([
    [['reset', 'workers', '--topic', 'jobs']],
    [['reset', 'workers', '--to', '1', '--shift-by', '1', '--topic', 'jobs']],
    [['reset', 'workers', '--to', '1']],
    [['reset', 'workers', '--to', '1', '--topic', 'jobs', '--all-topics']],
    [['reset', 'workers', '--to', 'nowhere', '--all-topics']],
    [['reset', 'workers', '--to', '1', '--topic', 'jobs:x']],
  ])('refuse what is unclear: %s', async (args) => {
    expect(await sluice('groups', ...args)).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('a group of the classic protocol', () => {
  test('is listed, described with who reads what, guarded while it is live, and reset afterwards', async () => {
    await kafka.admin().createTopics([{ name: 'classics', partitions: 2 }])
    await write('classics', 10)
    const reading = ['--bootstrap-server', stack.kafka.bootstrapServers, '--topic', 'classics', '--from-beginning']
    await using reader = await kafkaToolBeside('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...reading,
      '--group',
      'scholars',
      '--command-property',
      'auto.commit.interval.ms=100',
    ])
    await reader.line((line) => line === '9')
    const described = (await sluice('groups', 'describe', 'scholars')).stdout
    expect(described).toMatch(/^scholars: Stable, 1 member, .* classic protocol, assignor range$/m)
    expect(described).toMatch(/^classics +1 .* console-consumer +127\.0\.0\.1$/m)
    const reset = ['groups', 'reset', 'scholars', '--to', '3', '--topic', 'classics:0', '--execute']
    expect((await sluice(...reset)).stderr).toContain('group_live: scholars is live')
    await reader.kill('SIGTERM')
    expect((await sluice(...reset)).code).toBe(0)
    expect(await read('lag', 'scholars')).toMatchObject([{ partitions: [{ committed: 3, lag: 7 }, { lag: 0 }] }])
    expect((await sluice('groups', 'delete', 'scholars', '--execute')).code).toBe(0)
  })
})

describe('deleted records', () => {
  test('are gone up to the offset, and the log begins behind them', async () => {
    const admin = kafka.admin()
    await admin.createTopics([{ name: 'trimmed', partitions: 2 }])
    await write('trimmed', 10)
    expect(await admin.deleteRecords([{ topic: 'trimmed', partition: 0, offset: 4 }])).toEqual([
      { topic: 'trimmed', partition: 0, offset: 4 },
    ])
    expect(await admin.offsets(['trimmed'], 'earliest')).toMatchObject([{ offset: 4 }, { offset: 0 }])
    await admin.deleteRecords([{ topic: 'trimmed', partition: 0, offset: -1 }])
    expect(await admin.offsets(['trimmed'], 'earliest')).toMatchObject([{ offset: 10 }, { offset: 0 }])
    await expect(admin.deleteRecords([{ topic: 'trimmed', partition: 9, offset: 0 }])).rejects.toMatchObject({
      field: 'partition',
    })
    await expect(admin.deleteRecords([{ topic: 'trimmed', partition: 0, offset: 99 }])).rejects.toMatchObject({
      apiError: 'OFFSET_OUT_OF_RANGE',
    })
  })
})

describe('a Kafka that is not there', () => {
  test('is one clear error for every command', async () => {
    for (const args of [['topics', 'list'], ['groups', 'list'], ['lag'], ['tail', 'x'], ['produce', 'x']]) {
      const { code, stderr } = await runSluice('127.0.0.1:1', args)
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /\nsluice: connection_failed: cannot connect to 127\.0\.0\.1:1: nothing listens there .* - see that Kafka/,
      )
    }
  })
})
