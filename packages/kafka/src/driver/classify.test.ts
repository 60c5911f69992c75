import { describe, expect, test } from 'vitest'
import { brokerError, classify, errorCode } from './classify.ts'

describe('error classes', () => {
  test('a code and its name belong together', () => {
    expect(classify(0).name).toBe('NONE')
    expect(classify(-1).name).toBe('UNKNOWN_SERVER_ERROR')
    expect(classify(16).name).toBe('NOT_COORDINATOR')
    expect(classify(45).name).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(classify(74).name).toBe('FENCED_LEADER_EPOCH')
    expect(classify(100).name).toBe('UNKNOWN_TOPIC_ID')
    expect(classify(113).name).toBe('STALE_MEMBER_EPOCH')
    expect(classify(133).name).toBe('SHARE_SESSION_LIMIT_REACHED')
    for (let code = -1; code <= 133; code++) expect(errorCode(classify(code).name)).toBe(code)
  })

  test('no error is success, and success is no error', () => {
    const { code, name, ...flags } = classify(0)
    expect([code, name]).toEqual([0, 'NONE'])
    expect(Object.values(flags)).not.toContain(true)
  })

  test('what a client does about an error follows from its class', () => {
    expect(classify(errorCode('NOT_LEADER_OR_FOLLOWER'))).toMatchObject({ retriable: true, refreshMetadata: true })
    expect(classify(errorCode('NOT_COORDINATOR'))).toMatchObject({ retriable: true, refreshCoordinator: true })
    expect(classify(errorCode('COORDINATOR_LOAD_IN_PROGRESS'))).toMatchObject({
      retriable: true,
      refreshCoordinator: false,
    })
    expect(classify(errorCode('FENCED_MEMBER_EPOCH'))).toMatchObject({ rejoin: true, retriable: false })
    expect(classify(errorCode('STALE_MEMBER_EPOCH'))).toMatchObject({ retriable: true, rejoin: false })
    expect(classify(errorCode('PRODUCER_FENCED'))).toMatchObject({ fenced: true, fatal: true })
    expect(classify(errorCode('INVALID_PRODUCER_EPOCH'))).toMatchObject({ fenced: true, fatal: false })
    expect(classify(errorCode('TOPIC_AUTHORIZATION_FAILED'))).toMatchObject({ fatal: true, retriable: false })
  })

  test('no error is both retriable and fatal', () => {
    for (let code = -1; code <= 133; code++) {
      const { name, retriable, fatal } = classify(code)
      expect(retriable && fatal, name).toBe(false)
    }
  })

  test('a code from a newer broker is an error like any other', () => {
    expect(classify(999)).toMatchObject({ name: 'ERROR_999', retriable: false, fatal: false })
    expect(() => errorCode('NO_SUCH_ERROR')).toThrow(RangeError)
  })

  test('an error names its facts', () => {
    const error = brokerError(6, 'moved', { topic: 'orders', partition: 3 })
    expect(error).toMatchObject({
      code: 'broker_refused',
      apiError: 'NOT_LEADER_OR_FOLLOWER',
      apiCode: 6,
      retriable: true,
      topic: 'orders',
      partition: 3,
      message: 'NOT_LEADER_OR_FOLLOWER (topic orders, partition 3): moved',
    })
  })
})
