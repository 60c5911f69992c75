import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { json } from '../codecs/json.ts'
import { text } from '../codecs/text.ts'
import { parseConsumerOptions } from '../consumer/options.ts'
import { requireTopic } from './require-topic.ts'
import { topic } from './topic.ts'

const orders = topic('orders', { value: text })
const consumer = (topics: unknown) => parseConsumerOptions({ group: 'g', topics: topics as never })

describe('what was meant as a topic', () => {
  test.each([
    ['orders', 'topic must be a topic, but is the text "orders": make one with topic('],
    [undefined, 'but is undefined without a name and codecs'],
    // As another client takes it.
    [{ topic: 'orders', messages: [] }, 'but is a value of type object without a name and codecs'],
  ])('%j is refused with how to make one', (given, message) => {
    expect(() => requireTopic('topic', given as never)).toThrow(message)
    expect(() => requireTopic('topic', given as never)).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  })

  test('is passed on where it is one', () => {
    expect(requireTopic('topic', orders)).toBe(orders)
  })
})

describe('the topics of a consumer', () => {
  test.each([
    [[], 'topics is empty: name at least one topic'],
    ['orders', 'topics is "orders", but must be a list of topics'],
    [['orders'], 'topics must be a topic, but is the text "orders"'],
    [[orders, orders], 'topics lists "orders" twice'],
  ])('%j', (topics, message) => {
    expect(() => consumer(topics)).toThrow(message)
  })
})

describe('the codecs of a topic', () => {
  test.each([
    [undefined, 'codecs is undefined, but must be an object'],
    [{ value: z.object({}) }, 'value is a schema, which is not a codec: wrap it as json(schema)'],
    [{ value: json }, 'value is a function, but must be a codec, such as text, bytes or json(): call it'],
    [{ value: 'json' }, 'value is "json", but must be a codec'],
  ])('%o', (codecs, message) => {
    expect(() => topic('orders', codecs as never)).toThrow(message)
  })
})
