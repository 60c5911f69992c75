import { Flow } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import type { StreamElement } from './stream-element.ts'
import { openConsumer } from '../testing/open-consumer.ts'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'

type Element = StreamElement<ConsumerRecord<string | null, string | null>>

async function streaming(values: readonly string[], options: Parameters<typeof openConsumer>[0] = {}) {
  const opened = await openConsumer({ partitions: 1, ...options })
  if (values.length > 0) opened.broker.write('letters', 0, values)
  opened.broker.assign('letters', [0])
  const stream = opened.consumer.stream() as AsyncIterableIterator<Element, undefined>
  const take = async (count: number): Promise<Element[]> => {
    const elements: Element[] = []
    for (let left = count; left > 0; left--) elements.push((await opened.settled(stream.next())).value!)
    return elements
  }
  return { ...opened, stream, take, committed: () => opened.broker.committedOf('letters', 0) }
}

describe('a stream', () => {
  test('joins when it is first asked, and takes a record only for who asks', async () => {
    const { broker, consumer, take, pass, settled, stream } = await streaming(['a', 'b', 'c'])
    await pass(500)
    expect(broker.heartbeats).toEqual([])
    const [first] = await take(1)
    await pass(500)
    expect(first!.record.value).toBe('a')
    expect(consumer.inspect().dispatcher).toMatchObject({ running: 1 })
    const [second] = await take(1)
    expect([second!.record.value, second!.attempt]).toEqual(['b', 1])
    await settled(stream.return!())
  })

  test('commits what is acked, in whatever order, and not beyond what is not', async () => {
    const { take, pass, committed, broker, settled, stream } = await streaming(['a', 'b', 'c', 'd'])
    const [a, b, c] = await take(3)
    c!.ack()
    b!.ack()
    await pass(1_200)
    expect(committed()).toBe(0)
    expect(broker.metadata.get('letters/0')).not.toBe('')
    a!.ack()
    a!.ack()
    a!.fail(new Error('too late'))
    await pass(1_200)
    expect(committed()).toBe(3)
    await settled(stream.return!())
  })

  test('gives a record that failed again, as another attempt', async () => {
    const { take, pass, committed, settled, stream } = await streaming(['a', 'b'])
    const [a] = await take(1)
    a!.fail(new Error('not yet'))
    a!.ack()
    await pass(500)
    const [again, b] = await take(2)
    expect([again!.record.value, again!.attempt, b!.record.value]).toEqual(['a', 2, 'b'])
    b!.ack()
    again!.ack()
    await pass(1_200)
    expect(committed()).toBe(2)
    await settled(stream.return!())
  })

  test('that is left has what was not acked come again, and waits for nothing', async () => {
    const first = await streaming(['a', 'b', 'c'])
    const [a, b] = await first.take(2)
    a!.ack()
    const startMs = first.broker.clock.monotonicMs()
    await first.settled(first.stream.return!())
    expect(first.broker.clock.monotonicMs() - startMs).toBeLessThan(1_000)
    expect(first.consumer.inspect().state).toBe('closed')
    b!.ack()
    expect(first.committed()).toBe(1)
    const second = await openConsumer({ on: first.broker })
    first.broker.assign('letters', [0])
    const { value } = await second.settled(second.consumer.stream().next())
    expect(value!.record.value).toBe('b')
    await second.settled(second.consumer.close({ timeoutMs: 0 }))
  })

  test('ends when the consumer is closed, which still takes the acks of what is out', async () => {
    const { consumer, take, stream, pass, committed, settled } = await streaming(['a'])
    const [a] = await take(1)
    const asked = stream.next()
    const closing = consumer.close({ timeoutMs: 5_000 })
    expect(await settled(asked)).toEqual({ done: true, value: undefined })
    await pass(1_000)
    a!.ack()
    expect(await settled(closing)).toEqual({ abandonedHandlers: 0, uncommitted: [] })
    expect(committed()).toBe(1)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('fails once with what stopped the consumer', async () => {
    const { broker, stream, settled } = await streaming(['a'])
    broker.heartbeatFate = () => 'GROUP_AUTHORIZATION_FAILED'
    await expect(settled(stream.next())).rejects.toMatchObject({ code: 'membership_refused' })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('holds no more than the gate, and goes on with the acks', async () => {
    const values = Array.from({ length: 300 }, (_, index) => `${index}`)
    const { broker, consumer, take, pass, settled, stream } = await streaming(values, { gate: { maxRecords: 100 } })
    const held = (): number => consumer.inspect().gate!.records
    const out = await take(250)
    broker.write('letters', 0, ['next'])
    await pass(1_000)
    expect(held()).toBe(300)
    for (const element of [...out, ...(await take(50))]) element.ack()
    const [next] = await take(1)
    expect([next!.record.value, held()]).toEqual(['next', 1])
    await settled(stream.return!())
  })

  test('names what was not acked for long', async () => {
    const { take, pass, settled, stream, hear } = await streaming(['a', 'b'])
    const stuck = hear('stuck')
    const [a, b] = await take(2)
    b!.ack()
    await pass(31_000)
    expect(stuck).toMatchObject([{ topic: 'letters', partition: 0, offset: 0, attempt: 1 }])
    a!.ack()
    await settled(stream.return!())
  })

  test('with order by key gives the next of a key when the one before is settled', async () => {
    const { take, pass, settled, stream } = await streaming(['k:1', 'k:2', 'l:1'], { order: 'key' })
    const [k1, l1] = await take(2)
    expect([k1!.record.value, l1!.record.value]).toEqual(['k:1', 'l:1'])
    const asked = stream.next()
    await pass(200)
    k1!.ack()
    expect((await settled(asked)).value!.record.value).toBe('k:2')
    await settled(stream.return!())
  })

  test('belongs to one reader, and a consumer to one stream', async () => {
    const { consumer, stream } = await streaming([])
    expect(() => consumer.stream()).toThrow(expect.objectContaining({ code: 'config_invalid', field: 'stream' }))
    await expect(consumer.run(() => undefined)).rejects.toMatchObject({ code: 'config_invalid', field: 'run' })
    expect(stream[Symbol.asyncIterator]()).toBe(stream)
    expect(() => stream[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ field: 'stream' }))
    await consumer.close()
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(() => consumer.stream()).toThrow(expect.objectContaining({ code: 'closed' }))
  })

  test('aborts the signal of what is out when its partition is taken away, and an ack comes too late then', async () => {
    const { broker, take, pass, committed, settled, stream } = await streaming(['a'], { rebalanceTimeoutMs: 2_000 })
    const [a] = await take(1)
    const { signal } = a!
    broker.assign('letters', [])
    await pass(3_000)
    expect(signal.reason).toMatchObject({ code: 'partition_revoked' })
    a!.ack()
    await pass(1_200)
    expect(committed()).toBe(0)
    await settled(stream.return!())
  })
})

describe('elements', () => {
  test('carry their ack on other values, and on what they are merged into', async () => {
    const { take, pass, committed, settled, stream } = await streaming(['a', 'b', 'c'])
    const [a, b, c] = await take(3)
    a!.carry(7).ack()
    c!.including(b!).ack()
    await pass(1_200)
    expect(committed()).toBe(3)
    await settled(stream.return!())
  })

  test('go through the operators of a flow: what is dropped is acked or failed, what is merged is acked together', async () => {
    const values = Array.from({ length: 40 }, (_, index) => `${index}`)
    const { consumer, pass, committed, settled, broker } = await openFlow(values)
    const seen: string[] = []
    const flow = Flow.from(consumer.stream(), { clock: broker.clock })
      .filter(({ record }) => Number(record.value) % 2 === 0, 'ack')
      .limitRate(8)
      .mapAsync(4, async (element) => {
        await broker.clock.sleep(10)
        return element
      })
      .conflate((older, newer) => newer.including(older))
      .delayElements(50)
      .forEach((element) => {
        seen.push(element.record.value!)
        element.ack()
      })
    await pass(3_000)
    expect(committed()).toBe(40)
    expect(seen.length).toBeLessThan(20)
    await settled(consumer.close())
    await flow
  })

  test('may not be dropped in silence', async () => {
    const { consumer, settled } = await openFlow(['a'])
    const flow = Flow.from(consumer.stream()).filter(() => false)
    await expect(settled(flow.forEach(() => undefined))).rejects.toMatchObject({ field: 'onDrop' })
    expect(consumer.inspect().state).toBe('closed')
  })

  test('that a flow was working on when it failed come again', async () => {
    const { consumer, settled, committed } = await openFlow(['a', 'b', 'c'])
    const flow = Flow.from(consumer.stream()).mapAsync(2, async (element) => {
      if (element.record.value === 'b') throw new Error('no')
      return element
    })
    await expect(settled(flow.forEach((element) => element.ack()))).rejects.toThrow('no')
    expect(committed()).toBe(1)
  })

  async function openFlow(values: readonly string[]) {
    const opened = await openConsumer({ partitions: 1 })
    opened.broker.write('letters', 0, values)
    opened.broker.assign('letters', [0])
    return { ...opened, committed: () => opened.broker.committedOf('letters', 0) }
  }
})
