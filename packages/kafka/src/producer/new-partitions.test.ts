import { describe, expect, test } from 'vitest'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'

const badPartition = { code: 'config_invalid', field: 'partition' }

describe('a partition beyond those that are known', () => {
  test('is asked for once, and its records are delivered in order', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 2 })
    const logs = cluster.grow(letters.name, 8)
    const early = ['0', '1', '2'].map((value) => send(value, 7))
    await pass(1)
    const meanwhile = send('3', 7)
    const other = send('other', 0)
    await pass(20)
    const late = send('4', 7)
    await pass(20)
    expect([...early, meanwhile, other, late].map(outcomeOf)).toEqual(Array.from({ length: 6 }, () => 'delivered'))
    expect(logs[7]!.log).toEqual(['0', '1', '2', '3', '4'])
    expect(cluster.refreshes).toBe(1)
  })

  test('does not overtake those that wait for it, where the metadata becomes known by another way', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 2 })
    const logs = cluster.grow(letters.name, 8)
    send('first', 7)
    cluster.learn([letters.name])
    send('other', 0)
    send('second', 7)
    await pass(20)
    expect(logs[7]!.log).toEqual(['first', 'second'])
  })

  test('is refused where the cluster does not have it', async () => {
    const { cluster, producer, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 3 })
    const [bad, good] = [send('bad', 3), send('good', 2)]
    await pass(20)
    expect(bad.error).toMatchObject(badPartition)
    expect(bad.error!.message).toContain('0 to 2')
    expect(outcomeOf(good)).toBe('delivered')
    expect([cluster.refreshes, producer.inspect().queue.records]).toEqual([1, 0])
  })

  test('is asked for once a second at most, however many records name it', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 3 })
    for (let ms = 0; ms < 3_000; ms += 10) {
      send('bad', 9)
      await pass(10)
    }
    expect(cluster.refreshes).toBeLessThanOrEqual(4)
    cluster.grow(letters.name, 10)
    await pass(1_000)
    const good = send('good', 9)
    await pass(20)
    expect(outcomeOf(good)).toBe('delivered')
  })

  test('waits for the delivery timeout where no broker can say, with the reason', async () => {
    const { cluster, send, pass } = await openProducer({ deliveryTimeoutMs: 10_000 }, { partitions: 2 })
    cluster.refreshError = new Error('no broker')
    const a = send('a', 7)
    await pass(9_999)
    expect(outcomeOf(a)).toBe('pending')
    await pass(2)
    expect(a.error).toMatchObject({ code: 'delivery_failed', outcome: 'refused', cause: cluster.refreshError })
  })
})
