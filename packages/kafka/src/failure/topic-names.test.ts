import fc from 'fast-check'
import { expect, test } from 'vitest'
import { requireTopicName } from '../record/topic.ts'
import { deadLetterTopic, isOwnTopic, retryTopic } from './topic-names.ts'

test('the usual names', () => {
  expect(deadLetterTopic('orders')).toBe('orders.dlq')
  expect(retryTopic('orders', 'billing_service-1')).toBe('orders.billing_service-1.retry')
  expect(retryTopic('orders', 'Abrechnung für Süd')).toBe('orders.Abrechnung-x20f-xC3-xBCr-x20S-xC3-xBCd.retry')
})

test('whatever the group, the name is one that Kafka allows, and different groups have different ones', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 249, size: 'max' }),
      fc.string({ unit: fc.constantFrom('-', 'x', '2', 'D', ' ', 'ü'), minLength: 1, maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('-', 'x', '2', 'D', ' ', 'ü'), minLength: 1, maxLength: 12 }),
      (long, one, other) => {
        for (const group of [long, one, other]) {
          const name = retryTopic('orders', group)
          expect(requireTopicName('topic', name)).toBe(name)
          expect(isOwnTopic(name)).toBe(true)
        }
        expect(retryTopic('t', one) === retryTopic('t', other)).toBe(one === other)
      },
    ),
    { numRuns: 50 },
  )
})

test('a topic whose name leaves no room for the suffix is told by a digest', () => {
  const [one, other] = [`${'a'.repeat(248)}b`, `${'a'.repeat(248)}c`]
  expect(deadLetterTopic(one)).toHaveLength(249)
  expect(deadLetterTopic(one)).not.toBe(deadLetterTopic(other))
  expect(isOwnTopic(deadLetterTopic(one))).toBe(true)
})
