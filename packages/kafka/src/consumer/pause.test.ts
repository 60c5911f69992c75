import { describe, expect, test } from 'vitest'
import { openConsumer } from './testing/open-consumer.ts'

async function running() {
  const opened = await openConsumer({ partitions: 3 })
  const { broker, consumer, pass } = opened
  const seen: string[] = []
  broker.assign('letters', [0, 1])
  const ended = consumer.run(({ value }) => void seen.push(value!))
  await pass(300)
  const written = async (...letters: string[]): Promise<string[]> => {
    seen.length = 0
    letters.forEach((letter, partition) => broker.write('letters', partition, [letter]))
    await pass(600)
    return seen.toSorted()
  }
  const close = async (): Promise<void> => {
    await opened.settled(consumer.close())
    await ended
  }
  return { ...opened, written, close, seen }
}

describe('a pause by hand', () => {
  test('holds a partition, a topic or all, until they are resumed', async () => {
    const { consumer, written, pass, seen, close } = await running()
    consumer.pause([{ topic: 'letters', partition: 0 }])
    consumer.pause([{ topic: 'letters', partition: 0 }])
    expect(await written('a0', 'a1')).toEqual(['a1'])
    consumer.pause([{ topic: 'letters' }])
    expect(await written('b0', 'b1')).toEqual([])
    consumer.resume()
    await pass(600)
    expect(seen.toSorted()).toEqual(['a0', 'b0', 'b1'])
    consumer.pause()
    expect(await written('c0', 'c1')).toEqual([])
    consumer.resume([{ topic: 'letters' }])
    await pass(600)
    expect(seen.toSorted()).toEqual(['c0', 'c1'])
    await close()
  })

  test('stays over a rebalance with what stays, and ends with what goes', async () => {
    const { broker, consumer, written, pass, seen, close } = await running()
    consumer.pause()
    broker.assign('letters', [1, 2])
    await pass(1_000)
    expect(await written('a0', 'a1', 'a2')).toEqual(['a2'])
    broker.assign('letters', [0, 1])
    await pass(1_000)
    expect(seen.toSorted()).toEqual(['a0', 'a2'])
    expect(consumer.inspect().partitions?.map(({ partition, paused }) => [partition, paused])).toEqual([
      [1, true],
      [0, false],
    ])
    await close()
  })

  test('does not keep a partition from being given back, committed', async () => {
    const { broker, consumer, written, pass, close, hear } = await running()
    expect(await written('a0')).toEqual(['a0'])
    consumer.pause()
    const revoked = hear('revoked')
    broker.assign('letters', [1])
    await pass(1_000)
    expect(revoked).toMatchObject([{ partitions: [{ partition: 0, offset: 1 }] }])
    expect(broker.committedOf('letters', 0)).toBe(1)
    await close()
  })

  test.each([
    [{ topic: 'letters', partition: 2 }, 'letters/2'],
    [{ topic: 'numbers' }, 'numbers'],
  ])('of %j, which it does not have, is an error, and pauses nothing', async (target, value) => {
    const { consumer, written, close } = await running()
    const wrong = () => consumer.pause([{ topic: 'letters' }, target])
    expect(wrong).toThrow(expect.objectContaining({ code: 'config_invalid', field: 'partitions', value }))
    expect(await written('a0', 'a1')).toEqual(['a0', 'a1'])
    await close()
  })
})
