import { ManualClock } from '@sluice/flow'
import { expect, test } from 'vitest'
import { closeParts } from './close-parts.ts'
import { TimeLimit } from './time-limit.ts'

test('parts are closed in order, each with the time that is left, and all of them although one fails', async () => {
  const clock = new ManualClock()
  const limit = new TimeLimit(clock, 1_000)
  const order: string[] = []
  const part = <Report>(name: string, takesMs: number, report: Report) => ({
    group: name,
    async close(options?: { readonly timeoutMs: number }) {
      order.push(`${name} ${options?.timeoutMs ?? ''}`.trim())
      await clock.sleep(takesMs)
      if (report === undefined) throw new Error(`${name} failed`)
      return report
    },
  })
  const uncommitted = [{ topic: 't', partition: 0, offset: 3 }]
  const counted = { accepted: 5, delivered: 3, refused: 0, unknown: 2, abandoned: 2 }
  const parts = {
    readers: [part('reader', 0, null as unknown as void)],
    members: [part('orders', 600, { abandonedHandlers: 1, uncommitted })],
    transactional: [part('transactional', 300, { abandonedTransactions: 1 })],
    producers: [part('producer', 0, counted)],
  }
  const closing = closeParts(parts, limit)
  await clock.advanceAsync(2_000)
  expect(order).toEqual(['reader', 'orders 1000', 'transactional 700', 'producer 400'])
  expect(await closing).toEqual({
    abandonedHandlers: 1,
    uncommitted: [{ group: 'orders', topic: 't', partition: 0, offset: 3 }],
    abandonedTransactions: 1,
    abandonedRecords: 2,
  })
  order.length = 0
  const failing = closeParts({ ...parts, readers: [], members: [part('orders', 0, undefined as never)] }, limit)
  failing.catch(() => {})
  await clock.advanceAsync(2_000)
  await expect(failing).rejects.toThrow('orders failed')
  expect(order.map((one) => one.split(' ')[0])).toEqual(['orders', 'transactional', 'producer'])
})
