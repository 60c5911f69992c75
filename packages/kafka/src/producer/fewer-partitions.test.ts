import { describe, expect, test } from 'vitest'
import type { DeliveryError } from '../errors.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'

describe('a topic that was created again with fewer partitions', () => {
  test('has what waits for one that is gone refused at once, with the number that there are', async () => {
    const { cluster, producer, send, pass } = await openProducer({ lingerMs: 0, batchBytes: 200 }, { partitions: 3 })
    cluster.recreate(letters.name, 2)
    const sent = ['a', 'b', 'c'].map((value) => send(value.repeat(120), 2))
    await pass(1_000)
    for (const { error } of sent) {
      expect(error).toMatchObject({ code: 'delivery_failed', topic: 'letters', partition: 2, outcome: 'refused' })
      expect(error!.message).toBe(
        'letters/2: there is no such partition any more: ' +
          'partition is 2, but must be a partition of letters, which has 2 (0 to 1)',
      )
      expect((error as DeliveryError).cause).toMatchObject({ code: 'config_invalid', field: 'partition', value: 2 })
    }
    expect(producer.inspect().queue.records).toBe(0)
  })

  test('takes what is sent later to the partitions that there are, and refuses the others', async () => {
    const { cluster, producer, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 3 })
    const logs = cluster.recreate(letters.name, 1)
    send('a', 2)
    await pass(1_000)
    // By three partitions some of these keys would go to one that is gone.
    const keyed = ['0', '1', '2', '3'].map((key) => producer.send(letters, { key, value: key }))
    const late = send('late', 2)
    await pass(1_000)
    expect(await Promise.all(keyed.map(async (one) => (await one).partition))).toEqual([0, 0, 0, 0])
    expect(logs[0]!.log).toEqual(['0', '1', '2', '3'])
    expect(late.error).toMatchObject({ code: 'config_invalid', field: 'partition' })
  })

  test('leaves open what became of a batch that may have been written before', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 3 })
    cluster.fate = () => 'answer_lost'
    const a = send('a', 2)
    await pass(3)
    cluster.fate = () => 'answered'
    cluster.recreate(letters.name, 2)
    await pass(1_000)
    expect(outcomeOf(a)).toBe('unknown')
  })

  test('is waited for while no broker can say how many it has', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 3 })
    cluster.recreate(letters.name, 2)
    cluster.refreshError = new Error('no broker')
    const a = send('a', 2)
    await pass(10_000)
    expect(outcomeOf(a)).toBe('pending')
    cluster.refreshError = undefined
    await pass(2_000)
    expect(outcomeOf(a)).toBe('refused')
  })
})
