import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { json } from '../codecs/json.ts'
import { text } from '../codecs/text.ts'
import { topic } from '../record/topic.ts'
import type { RecordOf } from '../incoming/record-of.ts'

const orders = topic('orders', { value: json<{ readonly total: number }>() })
const payments = topic('payments', { value: json(z.object({ paidAt: z.string().transform((at) => new Date(at)) })) })
const notes = topic('notes', { value: text })

test('the records of several topics are a union that the name of the topic narrows', () => {
  const handler = (record: RecordOf<typeof orders | typeof payments | typeof notes>): void => {
    expectTypeOf(record.topic).toEqualTypeOf<'orders' | 'payments' | 'notes'>()
    if (record.topic === 'orders') expectTypeOf(record.value).toEqualTypeOf<{ readonly total: number }>()
    else if (record.topic === 'payments') expectTypeOf(record.value).toEqualTypeOf<{ paidAt: Date }>()
    else expectTypeOf(record.value).toEqualTypeOf<string | null>()
  }
  expectTypeOf(handler).toBeFunction()
})
