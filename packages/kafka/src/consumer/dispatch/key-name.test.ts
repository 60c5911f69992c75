import { expect, test } from 'vitest'
import { keyName } from './key-name.ts'

test('keys have the same text where they are the same, and a short one however long they are', () => {
  const keys = [0, 1, 256, 257, 1_000_000].flatMap((length) => [Buffer.alloc(length, 0), Buffer.alloc(length, 255)])
  const names = keys.map((key) => keyName(key))
  expect(keys.map((key) => keyName(Buffer.from(key)))).toEqual(names)
  // The two that are empty are one.
  expect(new Set(names).size).toBe(9)
  expect(Math.max(...names.map((name) => name.length))).toBe(256)
})
