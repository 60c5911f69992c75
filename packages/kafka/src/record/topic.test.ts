import { ConfigError } from '@sluice/flow'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { bytes } from '../codecs/bytes.ts'
import { json } from '../codecs/json.ts'
import { text } from '../codecs/text.ts'
import type { Topic } from './record.ts'
import { topic } from './topic.ts'

describe('a topic', () => {
  test('is typed by its codecs', () => {
    type Numbers = Topic<string | null, { n: number }, string | null, { n: number }, 'a'>
    expectTypeOf(topic('a', { value: json<{ n: number }>() })).toEqualTypeOf<Numbers>()
    type Texts = Topic<Buffer | null, string | null, Buffer | null, string | null, 'a'>
    expectTypeOf(topic('a', { key: bytes, value: text })).toEqualTypeOf<Texts>()
    expectTypeOf(topic('a' as string, { value: text })).toEqualTypeOf<Topic<string | null, string | null>>()
    expect(topic('a', { value: text }).key).toBe(text)
  })

  test.each(['two words', '', '.', '..', 'a/b', 'grün', 'x'.repeat(250)])(
    'the name %j is refused with the rule',
    (name) => {
      expect(() => topic(name, { value: text })).toThrow(ConfigError)
      expect(() => topic(name, { value: text })).toThrow(/1 to 249 of the characters/)
    },
  )

  test.each(['orders', 'orders.dlq', 'a_b-c.9', 'x'.repeat(249)])('the name %j is allowed', (name) => {
    expect(topic(name, { value: text }).name).toBe(name)
  })

  test('with a codec under an unknown name is refused', () => {
    const codecs = { value: text, keys: bytes }
    expect(() => topic('orders', codecs)).toThrow(expect.objectContaining({ code: 'config_invalid', field: 'keys' }))
  })

  test('without a codec is refused', () => {
    expect(() => topic('orders', { value: undefined as never })).toThrow(/value is undefined, but must be a codec/)
  })
})
