import { describe, expect, test } from 'vitest'
import { readClassicAssignment } from './classic-assignment.ts'

describe('what a member of a classic group was assigned', () => {
  test('is read by topic and partition, whatever user data follows', () => {
    // Version 3; `jobs` with 0 and 2; user data of one byte.
    const bytes = Buffer.from(
      '0003 00000001 0004 6a6f6273 00000002 00000000 00000002 00000001 ff'.replaceAll(' ', ''),
      'hex',
    )
    expect(readClassicAssignment(bytes)).toEqual([{ topic: 'jobs', partitions: [0, 2] }])
  })

  test('is nothing where it is empty, cut off, or of another protocol', () => {
    expect(readClassicAssignment(Buffer.alloc(0))).toEqual([])
    expect(readClassicAssignment(Buffer.from('0000000000010004', 'hex'))).toEqual([])
    expect(readClassicAssignment(Buffer.from('{"connect":"json"}'))).toEqual([])
    expect(readClassicAssignment(Buffer.from('00007fffffff', 'hex'))).toEqual([])
  })
})
