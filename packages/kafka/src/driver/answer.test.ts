import { expect, test } from 'vitest'
import { readThrottleMs } from './answer.ts'
import { ChunkReader } from './chunk-reader.ts'

test.each([
  [2 ** 31 - 1, 600_000],
  [-1, 0],
  [1_500, 1_500],
])('a broker that asks for a pause of %d ms gets one of %d', (asked, given) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(asked)
  expect(readThrottleMs(new ChunkReader([bytes]))).toBe(given)
})
