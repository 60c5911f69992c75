import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { GroupMemberJob } from './programs/group-member.ts'
import { Child, fromSource } from './support/child.ts'
import { type Handling, handOvers, overlaps, readHandlings, repeated, skipped } from './support/handling-log.ts'
import { until } from './support/until.ts'

const within = { timeoutMs: 30_000, pauseMs: 50 }

const partitions = 12
const recordsPerSecond = 1_200

let stack: Stack
let kafka: Kafka
let folder: string

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'consumer-group' })
  folder = mkdtempSync(join(tmpdir(), 'sluice-consumer-group-'))
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

function startMember(name: string, options: Partial<GroupMemberJob> & Pick<GroupMemberJob, 'topic' | 'group'>): Child {
  const log = join(folder, `${options.topic}-${name}.log`)
  const job: GroupMemberJob = { bootstrap: stack.kafka.bootstrapServers, name, log, handlerMs: 2, ...options }
  return new Child(...fromSource(join(import.meta.dirname, 'programs/group-member.ts'), [JSON.stringify(job)]))
}

/** Writes round robin, steadily, until it is stopped; returns the end offsets. */
async function feed(name: string, signal: AbortSignal): Promise<readonly number[]> {
  const target = topic(name, { value: text })
  const ends = Array.from({ length: partitions }, () => 0)
  const failures: unknown[] = []
  await using producer = await kafka.producer()
  const startMs = performance.now()
  for (let sent = 0; !signal.aborted;) {
    const due = ((performance.now() - startMs) / 1_000) * recordsPerSecond
    for (; sent < due; sent++) {
      const partition = sent % partitions
      ends[partition]!++
      await producer.ready()
      producer.send(target, { value: `${sent}`, partition }).catch((error: unknown) => failures.push(error))
    }
    await sleep(5)
  }
  await producer.flush()
  expect(failures).toEqual([])
  return ends
}

test('members that join, leave and are killed skip nothing and never handle a partition together', async ({
  annotate,
}) => {
  const name = 'moves'
  const group = 'moves'
  await kafka.admin().createTopics([{ name, partitions }])
  const stop = new AbortController()
  const feeding = feed(name, stop.signal)
  const at = { topic: name, group, stateDir: join(folder, 'state') }
  const logs = ['first', 'second', 'third', 'second-again']
  const all = (): Handling[] =>
    logs.flatMap((process) => readHandlings(process, join(folder, `${name}-${process}.log`)))
  const heard = (process: string): boolean => all().some((one) => one.process === process)

  await using first = startMember('first', at)
  await until(() => heard('first'), within)
  await using second = startMember('second', at)
  await using third = startMember('third', at)
  await until(() => heard('second') && heard('third'), within)
  await sleep(2_000)

  await first.kill('SIGTERM')
  await sleep(2_000)

  await second.kill('SIGKILL')
  const killedMs = performance.timeOrigin + performance.now()
  const againLog = join(folder, `${name}-second-again.log`)
  await using again = startMember('second', { ...at, log: againLog })
  await until(() => heard('second-again'), within)
  await sleep(2_000)

  stop.abort()
  const ends = await feeding
  await until(() => skipped(all(), ends).length === 0, within)
  await Promise.all([again.kill('SIGTERM'), third.kill('SIGTERM')])

  const handlings = all()
  expect(skipped(handlings, ends)).toEqual([])
  const endOf = ({ process, endMs }: Handling): number => (process === 'second' ? Math.min(endMs, killedMs) : endMs)
  expect(overlaps(handlings, endOf)).toEqual([])
  const repeats = [...repeated(handlings).values()]
  expect(repeats.filter((own) => own.every(({ process }) => process !== 'second'))).toEqual([])
  const gaps = [
    ...handOvers(handlings, 'first', 'second'),
    ...handOvers(handlings, 'first', 'third'),
    ...handOvers(handlings, 'second', 'third'),
  ]
  const back = Math.min(...handlings.filter(({ process }) => process === 'second-again').map(({ beginMs }) => beginMs))
  await annotate(
    `${ends.reduce((sum, end) => sum + end, 0)} records, ${gaps.length} hand-overs, the longest ` +
      `${Math.round(Math.max(...gaps))} ms; ${repeats.length} repeats after the kill, back in ${Math.round(back - killedMs)} ms`,
  )
  expect(gaps.length).toBeGreaterThan(0)
})
