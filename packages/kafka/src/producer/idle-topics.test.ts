import { ManualClock } from '@sluice/flow'
import { expect, test } from 'vitest'
import { Accumulator } from './queue/accumulator.ts'
import { parseProducerOptions } from './options.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import { sentBatches } from './testing/sent-batches.ts'
import { SimulatedCluster } from './testing/simulated-cluster.ts'

test('topics that are not used any more are forgotten, those with records are not', async () => {
  const clock = new ManualClock()
  const cluster = new SimulatedCluster(clock)
  const names = Array.from({ length: 1_000 }, (_, i) => `topic-${i}`)
  for (const name of names) cluster.createTopic(name, 6)
  cluster.learn(names)
  const accumulator = new Accumulator(parseProducerOptions({ clock }), cluster, {
    isPressed: () => false,
    onDue: () => {},
    onUnknownTopic: () => {},
    newSequence: () => null,
  })
  for (const name of names) accumulator.topic(name)
  const busy = accumulator.topic('topic-7').partitions[0]!
  busy.openBatch(0)
  accumulator.forgetIdle(names)
  expect(Array.from(accumulator.topics, ({ name }) => name)).toEqual(['topic-7'])
  busy.closeOpen()
  busy.takeHead()
  busy.dropHead()
  accumulator.forgetIdle(names)
  expect(Array.from(accumulator.topics)).toEqual([])
})

test('a topic that was forgotten goes on with its sequence numbers and epoch: nothing counts as its duplicate', async () => {
  const { cluster, log, send, pass } = await openProducer({
    lingerMs: 0,
    deliveryTimeoutMs: 200,
    retryBackoffMs: 10,
    maxRetryBackoffMs: 10,
  })
  const a = send('a')
  await pass(10)
  cluster.fate = () => 'answer_lost'
  send('b')
  await pass(500)
  cluster.fate = () => 'answered'
  const c = send('c')
  await pass(10)
  cluster.forget([letters.name])
  const d = send('d')
  await pass(10)
  expect([a, c, d].map(outcomeOf)).toEqual(['delivered', 'delivered', 'delivered'])
  expect(log.log).toEqual(['a', 'b', 'c', 'd'])
  const last = sentBatches(cluster).slice(-2)
  expect(last.map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
    [1, 0],
    [1, 1],
  ])
})
