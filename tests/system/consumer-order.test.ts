import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConsumerOptions, type HandlerContext, Kafka, type RecordOf, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GroupMemberJob } from './programs/group-member.ts'
import { Child, fromSource } from './support/child.ts'
import { type Handling, readCommits, readHandlings } from './support/handling-log.ts'
import { until } from './support/until.ts'

let stack: Stack
let kafka: Kafka
let folder: string

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'consumer-order' })
  folder = mkdtempSync(join(tmpdir(), 'sluice-consumer-order-'))
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

const letters = (name: string) => topic(name, { key: text, value: text })
type Letter = RecordOf<ReturnType<typeof letters>>

/** Writes `count` records, their values numbered, their keys in turn. */
async function fill(name: string, count: number, { keys = 50, partitions = 1 } = {}): Promise<void> {
  await kafka.admin().createTopics([{ name, partitions }])
  await using producer = await kafka.producer({ queue: { maxRecords: 100_000 } })
  const sends = Array.from({ length: count }, (_, number) =>
    producer.send(letters(name), { key: `k${number % keys}`, value: `${number}` }),
  )
  await Promise.all(sends)
}

interface Reading {
  readonly name: string
  readonly options?: Partial<ConsumerOptions>
  readonly handler: (record: Letter, context: HandlerContext) => unknown
}

/** Reads until `isDone`, asked after each handling, and then stops in order. */
async function read({ name, options, handler }: Reading, isDone: () => boolean, timeoutMs = 60_000): Promise<void> {
  await using consumer = await kafka.consumer({ group: name, topics: [letters(name)], reset: 'earliest', ...options })
  let stopped = false
  const running = consumer.run(async (record, context) => {
    await handler(record, context)
    if (!stopped && isDone()) {
      stopped = true
      consumer.close({ timeoutMs: 500 }).catch(() => {})
    }
  })
  const late = AbortSignal.timeout(timeoutMs)
  late.addEventListener('abort', () => void consumer.close({ timeoutMs: 0 }))
  await running
  if (late.aborted) throw new Error('what was waited for did not happen in time')
}

const openUntilAborted = ({ signal }: HandlerContext): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

describe('order by key', () => {
  test('holds for every key under concurrency and over a restart, and no record comes twice', async ({ annotate }) => {
    const name = 'keys-in-order'
    await fill(name, 4_000, { partitions: 3 })
    const handled: number[] = []
    const lastOf = new Map<string, number>()
    const disorder: string[] = []
    const busyKeys = new Set<string>()
    let most = 0
    const handler = async ({ key, value }: Letter) => {
      if (busyKeys.has(key!)) disorder.push(`${key} beside itself`)
      busyKeys.add(key!)
      most = Math.max(most, busyKeys.size)
      const number = Number(value)
      if (number <= (lastOf.get(key!) ?? -1)) disorder.push(`${key}: ${number} after ${lastOf.get(key!)}`)
      await sleep(Math.random() * 5)
      lastOf.set(key!, number)
      busyKeys.delete(key!)
      handled.push(number)
    }
    const reading: Reading = { name, options: { order: 'key', concurrency: 20 }, handler }
    await read(reading, () => handled.length >= 2_000)
    const before = handled.length
    await read(reading, () => handled.length >= 4_000)
    expect(disorder).toEqual([])
    expect(handled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 4_000 }, (_, number) => number))
    expect(most).toBeGreaterThan(10)
    await annotate(`stopped after ${before}; ${most} keys at once`)
  })
})

describe('records finished ahead of open ones', () => {
  const count = 10_000
  const isOpen = (offset: number): boolean => offset % 100 === 0
  const options = {
    order: 'unordered',
    concurrency: 200,
    gate: { maxRecords: 20_000 },
    handlerTimeoutMs: 600_000,
  } as const
  const openOffsets = Array.from({ length: count / 100 }, (_, index) => index * 100)

  test('are not handled again after a clean stop', async () => {
    const name = 'clean-stop'
    await fill(name, count)
    let finished = 0
    const first = async ({ offset }: Letter, context: HandlerContext) => {
      if (isOpen(offset)) await openUntilAborted(context)
      finished++
    }
    await read({ name, options, handler: first }, () => finished === count - openOffsets.length)
    const again: number[] = []
    await read({ name, options, handler: ({ offset }) => again.push(offset) }, () => again.length >= openOffsets.length)
    expect(again.toSorted((a, b) => a - b)).toEqual(openOffsets)
    // And a third time there is nothing left.
    const third: number[] = []
    await using consumer = await kafka.consumer({ group: name, topics: [letters(name)], reset: 'earliest', ...options })
    const running = consumer.run(({ offset }: Letter) => void third.push(offset))
    // What the second one had not fetched when it was closed, its offset map said: the third passes over that.
    await until(async () => (await kafka.admin().committedOffsets(name))[0]!.offset === count)
    await consumer.close()
    await running
    expect(third).toEqual([])
  })

  test('are handled again after a kill only where they finished since the commit before', async ({ annotate }) => {
    const name = 'killed'
    await fill(name, count)
    const log = join(folder, 'killed.log')
    const job: GroupMemberJob = {
      bootstrap: stack.kafka.bootstrapServers,
      topic: name,
      group: name,
      name,
      log,
      stateDir: folder,
      handlerMs: 60,
      openEvery: 100,
      options: { ...options, commitIntervalMs: 200 },
    }
    let first: Handling[]
    {
      await using member = new Child(
        ...fromSource(join(import.meta.dirname, 'programs/group-member.ts'), [JSON.stringify(job)]),
      )
      await until(() => ended(readHandlings(name, log)).length >= count / 2)
      await member.kill('SIGKILL')
      first = readHandlings(name, log)
    }
    const commits = readCommits(log)
    const endedAt = new Map(ended(first).map(({ offset, endMs }) => [offset, endMs]))
    const seen = new Set(endedAt.keys())
    const again: number[] = []
    await read(
      {
        name,
        options: { ...options, stateDir: folder, instanceName: name },
        handler: ({ offset }) => void again.push(offset),
      },
      () => seen.union(new Set(again)).size === count,
    )
    const repeats = again.filter((offset) => endedAt.has(offset))
    // The last commit was made up after the one before it had been answered.
    const surelyCommittedMs = commits.at(-2)!
    expect(repeats.filter((offset) => endedAt.get(offset)! <= surelyCommittedMs)).toEqual([])
    expect(commits.length).toBeGreaterThan(5)
    await annotate(`${seen.size} had finished, ${openOffsets.length} stayed open, ${repeats.length} came again`)
  })

  test('of a topic that was deleted are forgotten: the new one is read whole', async () => {
    const name = 'recreated'
    await fill(name, 200)
    let finished = 0
    const first = async ({ offset }: Letter, context: HandlerContext) => {
      if (offset === 0) await openUntilAborted(context)
      finished++
    }
    await read({ name, options, handler: first }, () => finished === 199)
    await kafka.admin().deleteTopics([name])
    await fill(name, 300)
    const offsets: number[] = []
    await read({ name, options, handler: ({ offset }) => offsets.push(offset) }, () => offsets.length >= 300)
    expect(offsets.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, offset) => offset))
  })
})

const ended = (handlings: readonly Handling[]): Handling[] => handlings.filter(({ endMs }) => endMs < Infinity)
