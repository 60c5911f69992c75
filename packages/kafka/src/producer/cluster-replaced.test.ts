import { expect, test } from 'vitest'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import { sentBatches } from './testing/sent-batches.ts'

const ids = (cluster: Parameters<typeof sentBatches>[0]) =>
  sentBatches(cluster).map(({ producerId, epoch, sequence }) => [producerId, epoch, sequence])

/** The requests before this one are answered, and this one finds nobody. */
function failing(request: number) {
  let requests = 0
  return () => (++requests === request ? ('unreachable' as const) : ('answered' as const))
}

test('a producer takes a new id in a cluster that has replaced its own, for all partitions the same', async () => {
  const { cluster, producer, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 3 })
  const before = [send('a', 0), send('b', 1)]
  await pass(10)
  cluster.replace('second', 7n)
  cluster.fate = failing(1)
  const first = send('c', 0)
  await pass(1_000)
  const after = [first, send('d', 1), send('e', 2)]
  await pass(1_000)
  expect([...before, ...after].map(outcomeOf)).toEqual(Array.from({ length: 5 }, () => 'delivered'))
  expect(cluster.logsOf(letters.name).map(({ log }) => log)).toEqual([['c'], ['d'], ['e']])
  expect(new Set(ids(cluster).slice(-3).map(String))).toEqual(new Set(['7,0,0']))
  expect(producer.inspect().producerId).toBe('7')
})

test('what may be in the log of the former cluster has an unknown outcome, and is not written to the new one', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0, batchBytes: 200 })
  send('a')
  await pass(10)
  cluster.fate = () => 'request_lost'
  const [lost, behind] = ['b', 'c'].map((value) => send(value.repeat(100)))
  await pass(2)
  cluster.replace('second', 7n)
  cluster.fate = () => 'answered'
  await pass(2_000)
  expect([lost!, behind!].map(outcomeOf)).toEqual(['unknown', 'delivered'])
  expect(lost!.error!.message).toContain('the cluster was replaced')
  expect(cluster.logsOf(letters.name)[0]!.log).toEqual(['c'.repeat(100)])
})

test('an answer that comes late from the former cluster means nothing', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 2 })
  cluster.fate = ({ batches }) => (batches[0]!.partition === 0 ? 'frozen' : 'answered')
  const frozen = send('frozen', 0)
  await pass(5)
  cluster.replace('second', 7n)
  void cluster.refresh([letters.name])
  await pass(1_000)
  expect(outcomeOf(frozen)).toBe('unknown')
  cluster.fate = () => 'answered'
  const next = send('next', 0)
  await pass(100)
  expect(outcomeOf(next)).toBe('delivered')
  expect(ids(cluster).at(-1)).toEqual([7, 0, 0])
})
